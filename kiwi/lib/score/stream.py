"""Score segments and write to a pipe: ``kiwi score``. With an exported system, torch is not imported."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, Literal

from kiwi import constants as const
from kiwi.data.files.table_writers import json_line, tsv_cell
from kiwi.data.flags import COLUMN
from kiwi.data.flags.language import start_loading
from kiwi.data.segments.bad_rows import BadRows, OnBad, writing_rejects
from kiwi.exceptions import ConfigError
from kiwi.lib.console.progress import Progress
from kiwi.lib.score.choices import wants_flags
from kiwi.lib.score.deciding import Audit
from kiwi.lib.score.flagging import check_languages
from kiwi.lib.score.inputs import Input
from kiwi.lib.score.lines import LineScorer
from kiwi.lib.score.manifest import Manifest
from kiwi.lib.score.marked import show_spans
from kiwi.lib.score.scale import ScaleName
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.utils.compression import compressing
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.staging import staged
from kiwi.utils.written import optional_path, user_path

logger = logging.getLogger(__name__)

Form = Literal["tsv", "jsonl", "spans"]
"""The format of what is written: ``tsv``, ``jsonl``, or ``spans``, the errors in each translation for people."""

HOW_TO_LIST = "--rejects FILE lists all, with the reasons."
"""The advice for bad segments whose reasons are written nowhere."""

CHUNK_SIZE = 4096
"""The number of segments that are read and scored together."""


def score_to_stream(
    model: str | Path,
    segments: Input,
    output: IO[str] | str | Path,
    *,
    on_bad: OnBad = "nan",
    rejects: str | Path | None = None,
    manifest: str | Path | None = None,
    overwrite: bool = False,
    scoring: Callable[..., int] | None = None,
    **how: Any,
) -> int:
    """Score like :func:`score`, write the bad segments to a file, and warn about them.

    Args:
        model: a checkpoint, an exported system, or a name on the hub.
        segments: the input of segments.
        output: the stream to write to; or a file, which appears when it is complete.
        on_bad: what happens to segments that cannot be used.
        rejects: the file for the bad segments; None writes none.
        manifest: the file for what the scores mean and what was counted; None writes none.
        overwrite: whether the file may replace one that kiwi has not written.
        scoring: the function that scores, with the arguments of :func:`score`, which is the default.
        how: the other arguments of that function.

    Returns:
        The number of bad segments.

    Raises:
        ConfigError: when a file that is read would be written to.
    """
    if rejects is not None and on_bad == "stop":
        raise ConfigError("--rejects needs --on-bad nan or skip, because stop writes nothing. Remove one of the two.")
    rejects, manifest = optional_path(rejects), optional_path(manifest)
    output = user_path(output) if isinstance(output, str | Path) else output
    options = how.get("options") or PredictOptions()
    guard = Guard([*segments.paths, Path(model), *options.paths], overwrite, "--overwrite")
    written = [path for path in (rejects, manifest, output) if isinstance(path, Path)]
    if not isinstance(output, Path):
        guard.check_stream(output)
    guard.check(written)
    bad = BadRows(on_bad, option="--on-bad")
    counted = Manifest()
    with writing_rejects(rejects, bad), _opened(output) as stream:
        n_segments = (scoring or score)(model, segments, stream, bad=bad, manifest=counted, **how)
    if manifest is not None:
        counted.write(manifest, model, len(bad))
    if written:
        record_written(*written)
    if bad:
        n_all = n_segments + (len(bad) if on_bad == "skip" else 0)
        advice = "" if how.get("form") == "jsonl" and on_bad == "nan" else HOW_TO_LIST
        logger.warning("%s", bad.summary(n_all, rejects, advice))
    return len(bad)


@contextmanager
def _opened(output: IO[str] | Path) -> Iterator[IO[str]]:
    if not isinstance(output, Path):
        yield output
        return
    with staged(output) as stage, compressing(stage, output.suffix) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        yield text
        text.detach().flush()


def score(
    model: str | Path,
    segments: Input,
    output: IO[str],
    *,
    form: Form = "tsv",
    scores_only: bool | None = False,
    flags: bool | None = None,
    languages: Sequence[str] = (),
    header: bool = True,
    stream: bool = False,
    scale: ScaleName | None = None,
    options: PredictOptions | None = None,
    bad: BadRows | None = None,
    manifest: Manifest | None = None,
    policy: str | Path | None = None,
    audit: Audit | None = None,
) -> int:
    """Write the predictions for each segment, one line per segment, in the order of the segments.

    Args:
        model: a checkpoint, an exported system, or a name on the hub.
        segments: the input of segments.
        output: the stream to write to.
        form: the format, ``tsv`` or ``jsonl``, with the columns of the tables of ``kiwi predict``, without the texts;
            or ``spans``, for people, the errors in each translation.
        scores_only: whether to omit the outputs for words; None omits them if there are others.
        flags: whether to add the flags of :data:`kiwi.data.flags.FLAGS`; None adds them unless ``scores_only`` is set.
            A policy reads them in any case.
        languages: the languages of source and translation, which a flag depends on.
        header: whether TSV starts with a line of column names.
        stream: whether to write the line of each segment before the next segment is read.
        scale: the scale of the scores; None is that of the system.
        options: how to load the system, and how it predicts.
        bad: what happens to segments that cannot be used; they are noted there. By default, they stop it.
        manifest: what is told what was scored.
        policy: the policy that decides which translations are approved; None decides nothing.
        audit: the sample of approved translations that are reviewed all the same; None draws none.

    Returns:
        The number of lines that were written, apart from the header.

    Raises:
        ConfigError: when options are incompatible.
        DataError: when a segment cannot be used, if bad ones stop the command; the message names file and line. The
            segments that were read together with it, up to 4096, are not written.
        CheckpointError: when the system cannot be loaded.
    """
    segments.check()
    check_languages(languages)
    segments.check_output(form, header=header)
    if languages and wants_flags(flags, scores_only):
        start_loading()
    runner = _open(model, form, options or PredictOptions())
    scorer = LineScorer.choose(
        runner,
        segments,
        scores_only=scores_only,
        flags=flags,
        languages=languages,
        scale=scale,
        policy=optional_path(policy),
        audit=audit,
    )
    manifest = manifest or Manifest()
    manifest.about, manifest.scale = runner.about, scorer.scale
    bad = BadRows("stop") if bad is None else bad  # one without any is false
    return _write_all(segments, scorer, output, form, bad, manifest, header=header, size=1 if stream else CHUNK_SIZE)


def _open(model: str | Path, form: Form, options: PredictOptions) -> Runner:
    """Load a system.

    Raises:
        ConfigError: when it does not predict what is to be shown.
    """
    runner = open_runner(model, options)
    if form == "spans" and const.ERROR_SPANS not in runner.about.outputs:
        outputs = ", ".join(runner.about.outputs)
        raise ConfigError(f"--spans: this system predicts {outputs}, and no error spans. Remove the option.")
    return runner


def _write_all(
    segments: Input,
    scorer: LineScorer,
    output: IO[str],
    form: Form,
    bad: BadRows,
    manifest: Manifest,
    *,
    header: bool,
    size: int,
) -> int:
    """Score all segments chunk by chunk, write their lines, and return their number."""
    is_first, n_segments = True, 0
    with shown_progress(scorer.runner, segments.count()) as progress:
        chunks = segments.read(scorer.fields, size, bad, scorer.optional, scorer.advice)
        for first, given, columns in chunks:
            found = scorer(given, columns, bad)
            names = scorer.scale.titled(found) if form == "tsv" and header else list(found)
            manifest.count(names, len(given[const.TARGET]), found.get(COLUMN))
            with progress.hidden() if is_terminal(output) else nullcontext():
                if form == "spans":
                    _show(output, columns[const.TARGET], found, first, bad)
                else:
                    _write(output, form, names if is_first and header else (), found, first, bad)
            is_first = False
            n_segments += len(columns[const.TARGET])
            progress.advance(len(given[const.TARGET]))
    return n_segments


def _show(output: IO[str], targets: Sequence[str], found: Mapping[str, list[Any]], first: int, bad: BadRows) -> None:
    """Write the errors in some translations for people, in colours on a terminal."""
    coloured = is_terminal(output) and not os.environ.get("NO_COLOR")
    for number, (target, *row) in enumerate(zip(targets, *found.values(), strict=True), start=first):
        reason = bad.reasons.get(number) if bad.on_bad == "nan" else None
        shown = show_spans(number, target, dict(zip(found, row, strict=True)), coloured=coloured, reason=reason)
        output.write(shown + "\n")
    output.flush()


def _write(
    output: IO[str], form: Form, names: Sequence[str], found: dict[str, list[Any]], first: int, bad: BadRows
) -> None:
    """Write the lines of some segments, after the names of the columns, if there are any."""
    if form == "tsv" and names:
        output.write("\t".join(names) + "\n")
    for number, row in enumerate(zip(*found.values(), strict=True), start=first):
        if form == "tsv":
            output.write("\t".join(map(tsv_cell, row)))
        else:
            reason = {"reason": bad.reasons[number]} if bad.on_bad == "nan" and number in bad.reasons else {}
            output.write(json_line(dict(zip(found, row, strict=True)) | reason))
        output.write("\n")
    output.flush()


@contextmanager
def shown_progress(runner: Runner, total: int | None) -> Iterator[Progress]:
    """Show a bar on a terminal while segments are scored.

    Args:
        runner: the system.
        total: the number of segments; None if it is unknown.
    """
    with Progress("Scoring", total, is_bar_only=True) as progress:
        runner.on_computed = progress.advance_within_chunk
        yield progress


def is_terminal(output: object) -> bool:
    """Return whether a file is a terminal, on which a bar would be in the way."""
    isatty = getattr(output, "isatty", None)
    return isatty is not None and bool(isatty())
