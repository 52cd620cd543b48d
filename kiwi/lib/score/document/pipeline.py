"""Score the segments of a document, and write it with their scores: ``kiwi score FILE -o OUT``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from kiwi import constants as const
from kiwi.data.documents.formats import Format, HowToRead, bare_suffix, find_format, require_format
from kiwi.data.documents.rating import HIGH, LOW, Rating
from kiwi.data.files.tables import READERS
from kiwi.data.flags import COLUMN as FLAGS
from kiwi.data.flags.language import start_loading
from kiwi.data.labels.policy import DECISION, REASON
from kiwi.data.segments.bad_rows import BadRows, OnBad, writing_rejects
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.console.progress import Progress
from kiwi.lib.score.choices import are_scores_only, wants_flags
from kiwi.lib.score.deciding import Decider
from kiwi.lib.score.document.checks import check_files, check_options
from kiwi.lib.score.document.counting import OnCounted, count_segments
from kiwi.lib.score.document.options import DocumentOptions
from kiwi.lib.score.flagging import Flagger
from kiwi.lib.score.inputs import FIELDS
from kiwi.lib.score.manifest import Manifest
from kiwi.lib.score.pairs import LanguagePairs
from kiwi.lib.score.scale import Scale
from kiwi.lib.score.scorer import Observe, Scorer
from kiwi.lib.score.stream import CHUNK_SIZE, HOW_TO_LIST, is_terminal, shown_progress
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.utils.guard import record_written
from kiwi.utils.staging import staged
from kiwi.utils.written import optional_path, user_path

logger = logging.getLogger(__name__)


def is_document(path: Path, output: Path | None, *, lines: bool = False) -> bool:
    """Return whether scores are written into a copy of a file, rather than one line for each segment.

    Args:
        path: the file with the segments.
        output: the file to write to; None is standard output.
        lines: whether lines of scores are asked for.
    """
    form = find_format(path)
    if form is None:
        return output is not None
    if bare_suffix(path) not in READERS:  # such as XLIFF and XLSX
        return True
    return not lines and (output is not None or form.is_text)


def named_format(name: str) -> Format:
    """Return a format of tables by its suffix, without the dot."""
    return require_format(Path(f"standard-input.{name}"))


def score_document(
    model: str | Path,
    path: str | Path,
    output: str | Path | IO[bytes],
    *,
    form: Format | None = None,
    document: DocumentOptions | None = None,
    on_bad: OnBad = "nan",
    rejects: str | Path | None = None,
    manifest: str | Path | None = None,
    overwrite: bool = False,
    options: PredictOptions | None = None,
    runner: Runner | None = None,
    observe: Observe | None = None,
    on_counted: OnCounted | None = None,
) -> int:
    """Score the segments of a document, and write a copy of the document with their scores.

    Args:
        model: a checkpoint, an exported system, or a name on the hub.
        path: the document, which may be compressed.
        output: the file to write, with the suffix of the document, and a second one such as ``.gz`` to compress it; or,
            for tables as text, a stream.
        form: the format of the document; by default, that of its suffix.
        document: what to read and to write.
        on_bad: what happens to segments that cannot be used; they have no score, stop the command, or, in tables, are
            left out.
        rejects: the file for the bad segments; None writes none.
        manifest: the file for what the scores mean and what was counted; None writes none.
        overwrite: whether files may be replaced that kiwi has not written.
        options: how to load the system, and how it predicts.
        runner: the system, if it is loaded already; its progress is shown elsewhere.
        observe: what is told the estimates for all segments; None is nothing.
        on_counted: what is told how many segments there are, which are counted first; None counts none.

    Returns:
        The number of bad segments.

    Raises:
        ConfigError: when options do not fit, or the document would be written over.
        DataError: when the document is not what its format says, or has no segment.
        CheckpointError: when the system cannot be loaded.
    """
    path, rejects, manifest = user_path(path), optional_path(rejects), optional_path(manifest)
    output = user_path(output) if isinstance(output, str | Path) else output
    form, what, options = form or require_format(path), document or DocumentOptions(), options or PredictOptions()
    check_options(path, output, form, what, on_bad, rejects)
    written = [each for each in (output, rejects, manifest) if isinstance(each, Path)]
    check_files([path, Path(model), *options.paths], written, output, overwrite=overwrite)
    is_shown = runner is None and not is_terminal(output)
    if (form.has_languages or what.languages) and wants_flags(what.flags, what.scores_only):
        start_loading()
    runner = open_runner(model, options) if runner is None else runner
    how, scorer = _prepare(runner, path, form, what, on_bad)
    scorer.observe = observe
    if on_counted is not None:
        with scorer.advising():
            count_segments(form, path, how, on_counted)
    progress = shown_progress(runner, None) if is_shown else nullcontext()
    n_segments, n_without_target = _copy(path, output, form, how, scorer, rejects, progress)
    if manifest is not None:
        scorer.manifest.n_without_target = n_without_target
        scorer.manifest.write(manifest, model, len(scorer.bad))
    record_written(*written)
    _warn(path, scorer.bad, n_segments, n_without_target, rejects)
    return len(scorer.bad)


def _prepare(
    runner: Runner, path: Path, form: Format, what: DocumentOptions, on_bad: OnBad
) -> tuple[HowToRead, Scorer]:
    """Return how the document is read, and what scores its segments.

    Raises:
        ConfigError: when the system or the policy does not fit the document.
    """
    fields = _fields(runner, path, form)
    decider = _decider(runner, form, what)
    pairs = LanguagePairs.choose(runner.about, what.languages, what.columns)
    if form.is_table:
        fields += [*(decider.fields if decider is not None else ()), *pairs.fields]
    scale = Scale.choose(what.scale, runner, prefers_common=not form.is_table)
    rating = _rating(runner, path, form, what, scale)
    columns = {name: what.columns.get(name, name) for name in fields}
    may_lack = () if decider is None else decider.optional
    optional = {const.ALIGNMENTS, *pairs.fields, *may_lack} - what.columns.keys()
    how = HowToRead(rating, columns, optional, what.has_header, what.languages, what.is_live)
    languages = Flagger.choose(what.languages, runner.about)
    shows_flags = wants_flags(what.flags, what.scores_only)
    scorer = Scorer(
        runner,
        path,
        BadRows(on_bad, option="--on-bad"),
        scale,
        Manifest(runner.about, scale, places=None if form.is_table else _places(form)),
        languages if shows_flags or decider is not None else None,
        decider,
        pairs,
        scores_only=are_scores_only(runner, what.scores_only),
        shows_flags=shows_flags,
        is_titled=form.has_header and what.has_header,
        languages=languages.languages,
        asked=what.languages,
    )
    return how, scorer


def _fields(runner: Runner, path: Path, form: Format) -> list[str]:
    """Return the fields of segments that the system reads; alignments of other documents than tables are made."""
    fields = [name for name in FIELDS if name in runner.about.input_fields]
    if const.ALIGNMENTS in fields and not form.is_table:
        fields.remove(const.ALIGNMENTS)
        runner.prepare_aligner()
    _check_system(runner, path, form, fields)
    return fields


def _decider(runner: Runner, form: Format, what: DocumentOptions) -> Decider | None:
    """Return what decides which translations are approved; None without a policy."""
    decider = Decider.choose(what.policy, runner.about, what.audit)
    if decider is not None:
        decider = decider.with_languages(what.languages)
        decider.check_given(what.columns, what.policy)
        if not form.is_table:
            decider.check_document(form.name, what.policy)
    return decider


def _rating(runner: Runner, path: Path, form: Format, what: DocumentOptions, scale: Scale) -> Rating:
    """Return the form of scores in the document."""
    has_spans = const.ERROR_SPANS in runner.about.outputs and not are_scores_only(runner, what.scores_only)
    if has_spans and not form.is_table and not form.has_spans:
        logger.info("%s: %s has no place for error spans, which are left out.", path, form.name)
    limits = scale.describe()["range"]
    if what.threshold is not None and limits is not None and not limits[0] <= what.threshold <= limits[1]:
        raise ConfigError(
            f"--threshold: found {what.threshold:g}; expected a score from {limits[0]:g} to {limits[1]:g}, the scale "
            "on which scores are written (--scale)."
        )
    return Rating(
        f"sha256:{runner.about.sha256}",
        what.threshold,
        _direction(what, scale),
        what.set_state,
        has_spans,
        has_intervals=runner.about.data.intervals is not None,
        profile=scale.profile,
    )


def _copy(
    path: Path,
    output: Path | IO[bytes],
    form: Format,
    how: HowToRead,
    scorer: Scorer,
    rejects: Path | None,
    progress: AbstractContextManager[Progress | None],
) -> tuple[int, int]:
    """Copy a document with scores, and write its bad segments to a file.

    Returns:
        The number of segments, and of units without a translation.

    Raises:
        DataError: when the document is not what its format says, or has no segment.
    """
    staging = staged(output) if isinstance(output, Path) else nullcontext(output)
    with scorer.advising(), writing_rejects(rejects, scorer.bad), staging as stage:
        with progress as scorer.progress:
            n_segments, n_without_target = form.copy(path, stage, how, scorer, 1 if how.is_live else CHUNK_SIZE)
        if not n_segments:
            units = f"{n_without_target} unit{'s' if n_without_target > 1 else ''}"
            found = f"no translation in {units}" if n_without_target else "no segment"
            raise DataError.at(path, None, found=found, expected="segments with a translation")
    if not isinstance(output, Path):
        output.flush()
    return n_segments, n_without_target


def _warn(path: Path, bad: BadRows, n_segments: int, n_without_target: int, rejects: Path | None) -> None:
    """Warn of units without a translation and of bad segments."""
    if n_without_target:
        logger.warning("%s: %d units without a translation were left as they are.", path, n_without_target)
    if bad:
        logger.warning(bad.summary(n_segments, rejects, HOW_TO_LIST))


def _places(form: Format) -> set[str]:
    """Return the columns of estimates that a file of translators has a place for."""
    places = {const.SENTENCE_SCORES, LOW, HIGH, FLAGS, DECISION, REASON}
    return places | {const.ERROR_SPANS} if form.has_spans else places


def _direction(what: DocumentOptions, scale: Scale) -> bool:
    """Return whether a higher score is better, which only ``--set-state`` with a threshold needs to know."""
    if (what.set_state and what.policy is None) or what.higher_is_better is not None:
        return scale.direction(what.higher_is_better, "--set-state")
    return scale.higher_is_better is not False


def _check_system(runner: Runner, path: Path, form: Format, fields: Sequence[str]) -> None:
    if form.is_table:
        return
    outputs_here = {const.SENTENCE_SCORES, *([const.ERROR_SPANS] if form.has_spans else [])}
    if not outputs_here & {*runner.about.outputs}:
        outputs = ", ".join(runner.about.outputs)
        raise ConfigError(f"{path}: this system predicts {outputs}, and no score. Choose one that predicts scores.")
    if others := [name for name in fields if name not in (const.SOURCE, const.TARGET)]:
        raise ConfigError(
            f"{path}: this system reads {', '.join(others)}, which {form.name} does not have. Choose another "
            "system, or give a table that has columns of them."
        )
