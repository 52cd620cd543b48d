"""The command that scores a few files or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiwi.cli.options import (
    AlignerOption,
    AlignmentsOption,
    AlignOption,
    BatchTokensOption,
    ColumnsOption,
    FileArgument,
    GpuOption,
    HigherIsBetterOption,
    ModelOption,
    OverwriteOption,
    PrecisionOption,
    QuietOption,
    SourceOption,
    SourcePosOption,
    StreamOption,
    TargetOption,
    TargetPosOption,
    ThreadsOption,
    VerboseOption,
    check_choice,
    exit_if_bad,
    from_standard_input,
    open_standard_output,
    parse_columns,
    parse_target_columns,
    set_up_log,
)
from kiwi.cli.scoring_options import (
    AuditOption,
    AuditSeedOption,
    BestOfOption,
    CopyOption,
    CopyScaleOption,
    FlagsOption,
    FormatOption,
    GroupOption,
    HeaderOption,
    LanguagesOption,
    ManifestOption,
    OnBadOption,
    OnlyScoresOption,
    PipeFormatOption,
    PolicyOption,
    RejectsOption,
    ScoresOnlyOption,
    SetStateOption,
    SpansOption,
    ThresholdOption,
    WordsOption,
    choose_form,
)

if TYPE_CHECKING:
    from kiwi.lib.score import DocumentOptions, Input


def score(
    model: ModelOption = None,
    table: FileArgument = None,
    output: CopyOption = None,
    threshold: ThresholdOption = None,
    set_state: SetStateOption = False,
    higher_is_better: HigherIsBetterOption = None,
    scale: CopyScaleOption = None,
    languages: LanguagesOption = None,
    source: SourceOption = None,
    target: TargetOption = None,
    alignments: AlignmentsOption = None,
    source_pos: SourcePosOption = None,
    target_pos: TargetPosOption = None,
    align: AlignOption = True,
    aligner: AlignerOption = None,
    columns: ColumnsOption = None,
    input_format: PipeFormatOption = "tsv",
    output_format: FormatOption = None,
    only_scores: OnlyScoresOption = False,
    words: WordsOption = False,
    scores_only: ScoresOnlyOption = False,
    flags: FlagsOption = None,
    spans: SpansOption = False,
    header: HeaderOption = None,
    best_of: BestOfOption = None,
    stream: StreamOption = False,
    on_bad: OnBadOption = "nan",
    rejects: RejectsOption = None,
    policy: PolicyOption = None,
    group: GroupOption = None,
    audit: AuditOption = None,
    audit_seed: AuditSeedOption = None,
    manifest: ManifestOption = None,
    overwrite: OverwriteOption = False,
    gpu_id: GpuOption = None,
    threads: ThreadsOption = None,
    batch_tokens: BatchTokensOption = None,
    precision: PrecisionOption = "32",
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score segments: write one line for each to standard output, or scores into a copy of a file of translations.

    Examples: kiwi score -m MODEL -s source.txt -t target.txt; kiwi score -m MODEL project.xlf -o scored.xlf
    """
    from kiwi.exceptions import ConfigError
    from kiwi.lib.score import Audit, DocumentOptions, Input, score_to_stream
    from kiwi.runner.options import PredictOptions
    from kiwi.systems.manifest.locations import default_model

    end_with_the_reader()
    set_up_log(verbose=verbose, quiet=quiet)
    model = model or default_model()
    given = {
        "source": source,
        "target": target,
        "alignments": alignments,
        "source_pos": source_pos,
        "target_pos": target_pos,
        "group": group,
    }
    files = {name: path for name, path in given.items() if path is not None}
    by_field, target_columns = parse_target_columns(columns or [])
    if best_of is None:
        by_field = parse_columns(columns or [])
    for option, is_given, other in (
        ("--group", group is not None and policy is None, "--policy"),
        ("--columns group", "group" in by_field and policy is None, "--policy"),
        ("--audit-seed", audit_seed is not None and audit is None, "--audit"),
    ):
        if is_given:
            raise ConfigError(f"{option}: given without {other}, which it is for. Remove it, or add {other}.")
    if words and scores_only:
        raise ConfigError("--words and --scores-only ask for the opposite. Remove one of them.")
    unlike_spans = {
        "--scores-only": scores_only,
        "--only-scores": only_scores,
        "--words": words,
        "--format": output_format is not None,
        "--best-of": best_of is not None,
    }
    if spans and (found := given_names(unlike_spans)):
        raise ConfigError(f"--spans writes text for people, which does not go with {found}. Remove one.")
    input_format = check_choice("--input-format", input_format, ("tsv", "jsonl", "csv"))
    chosen_scale = None if scale is None else check_choice("--scale", scale, ("own", "0-100"))
    chosen_languages = [name for argument in languages or [] for name in argument.split(",")]
    sample = None if audit is None else Audit(audit, 1 if audit_seed is None else audit_seed)
    common: dict[str, Any] = {
        "on_bad": check_choice("--on-bad", on_bad, ("nan", "stop", "skip")),
        "rejects": rejects,
        "manifest": manifest,
        "overwrite": overwrite,
        "options": PredictOptions(
            gpu_id=gpu_id,
            threads=threads,
            batch_tokens=batch_tokens,
            precision=check_choice("--precision", precision, ("32", "bf16", "16", "auto")),
            align=align,
            aligner=aligner,
        ),
    }
    is_for_people = output is None and sys.stdout is not None and sys.stdout.isatty()
    document = DocumentOptions(
        columns=by_field,
        has_header=header is not False,
        languages=chosen_languages,
        threshold=threshold,
        higher_is_better=higher_is_better,
        set_state=set_state,
        scale=chosen_scale,
        words=bool(words),
        scores_only=scores_only or (None if is_for_people and not words else False),
        flags=flags,
        policy=policy,
        audit=sample,
        is_live=stream,
    )
    is_piped = table is None and not files
    is_table_piped = is_piped and (input_format == "csv" or (input_format == "tsv" and header))
    is_lines = best_of is not None or only_scores or spans or output_format is not None
    is_copied = is_table_piped and not is_lines
    if table is not None and best_of is None:
        from kiwi.lib.score.document.pipeline import is_document

        is_copied = is_document(table, output, lines=is_lines)
    if is_copied:
        from kiwi.lib.score.document.pipeline import named_format, score_document

        unused = {
            **{f"--{name.replace('_', '-')}": True for name in files},
            "--format": output_format is not None,
            "--only-scores": only_scores,
            "--spans": spans,
            "--input-format": not is_piped and input_format != "tsv",
        }
        if found := given_names(unused):
            raise ConfigError(f"{found}: not for a file that is copied with its scores. Remove it.")
        piped_form = named_format(input_format) if is_table_piped else None
        place = Path("/dev/stdin") if table is None else table
        copy = open_standard_output().buffer if output is None else output
        exit_if_bad(score_document(model, place, copy, form=piped_form, document=document, **common))
        return
    pipe_form: Any = "tsv with names" if is_table_piped and input_format == "tsv" else input_format
    segments = Input(
        files=from_standard_input(files),
        table=table,
        columns=by_field,
        pipe=getattr(sys.stdin, "buffer", None),  # sys.stdin is None when it is closed
        pipe_form=pipe_form,
        has_header=header is not False,
    )
    if best_of is None:
        document.check_unused()
        common |= {"flags": flags, "languages": chosen_languages, "policy": policy, "audit": sample}
    elif is_table_piped:
        raise ConfigError("--best-of: standard input is lines of TSV without a header, or JSON Lines; give a file.")
    else:
        segments, of_candidates = read_candidates(best_of, segments, target_columns, document)
        common |= of_candidates
    n_bad = score_to_stream(
        model,
        segments,
        open_standard_output() if output is None else output,
        form="spans" if spans else choose_form(output_format, output),
        scores_only=False if spans else document.scores_only,
        header=header is not False,
        stream=stream,
        scale=chosen_scale,
        **common,
    )
    exit_if_bad(n_bad)


def end_with_the_reader() -> None:
    """End silently when the reader closes the pipe, as other tools do."""
    import signal

    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def given_names(options: Mapping[str, bool]) -> str:
    """Return the names of the options that are given, for messages; empty if none is."""
    return ", ".join(name for name, is_given in options.items() if is_given)


def read_candidates(
    best_of: str, segments: Input, target_columns: Sequence[str], document: DocumentOptions
) -> tuple[Input, dict[str, Any]]:
    """Return the candidates of which the best is chosen, and what scores them.

    Args:
        best_of: the value of ``--best-of``.
        segments: the segments to score.
        target_columns: the columns of the candidates, as far as ``--columns`` names them.
        document: the options for files of translations, none of which compares candidates.
    """
    from dataclasses import replace

    from kiwi.exceptions import ConfigError
    from kiwi.lib.score import BestOf, score_best

    unfit = {
        "--flags": bool(document.flags),
        "--policy": document.policy is not None,
        "--audit": document.audit is not None,
    }
    if found := given_names(unfit):
        raise ConfigError(f"{found}: not with --best-of, which compares the candidates of a source.")
    replace(document, higher_is_better=None).check_unused()
    if len(target_columns) == 1:
        segments = replace(segments, columns={**segments.columns, "target": target_columns[0]})
    return segments, {
        "scoring": score_best,
        "languages": document.languages,
        "best_of": BestOf.parse(best_of, segments, target_columns),
        "higher_is_better": document.higher_is_better,
    }
