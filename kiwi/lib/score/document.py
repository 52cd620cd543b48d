"""Score the segments of a document, and write it with their scores: ``kiwi score FILE -o OUT``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from kiwi import constants as const
from kiwi.data.documents.formats import Format, HowToRead, bare_suffix, find_format, require_format
from kiwi.data.documents.parts import Row, Segment, place_spans
from kiwi.data.documents.rating import Rating
from kiwi.data.files.tables import READERS
from kiwi.data.readers import check_columns
from kiwi.data.segments.bad_rows import BadRows, OnBad, writing_rejects
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.score.scale import Scale, ScaleName
from kiwi.lib.score.stream import CHUNK_SIZE, FIELDS, are_scores_only, check_aligner, without_words
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import did_you_mean
from kiwi.utils.staging import staged

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DocumentOptions:
    """What ``kiwi score`` does with a document."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each field, in tables; by default, the name of the field."""

    has_header: bool = True
    """Whether the first line of CSV and TSV has the names of the columns."""

    languages: Sequence[str] = ()
    """The languages of source and target, in documents with more than two."""

    threshold: float | None = None
    """The score that divides good translations from those to review."""

    higher_is_better: bool | None = None
    """Whether a higher score is better; by default, what the system remembers of its scores."""

    set_state: bool = False
    """Whether translations that are worse than the threshold are marked for review."""

    scale: ScaleName | None = None
    """The scale of the scores; None is 0 to 100 in files of translations, if the system says what its scores mean."""

    words: bool = False
    """Whether the predictions for words are asked for, which only tables have place for."""

    scores_only: bool | None = False
    """Whether tables get no columns for words; None if the system predicts scores."""

    def check(self, path: Path, form: Format) -> None:
        """Check that the options fit the format of a document.

        Args:
            path: the document.
            form: its format.

        Raises:
            ConfigError: when they do not, or not each other.
        """
        if self.set_state and self.threshold is None:
            raise ConfigError("--set-state marks translations worse than a threshold. Add --threshold SCORE.")
        if self.set_state and not form.has_state:
            raise ConfigError(f"--set-state: {path} is {form.name}, which has no state of translations. Remove it.")
        if not self.has_header and not form.has_header:
            raise ConfigError(f"--no-header: {path} is {form.name}, which has no line of column names. Remove it.")
        for name in self.columns:
            if name not in FIELDS:
                raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, FIELDS)}")
        if len(set(self.columns.values())) < len(self.columns):
            raise ConfigError("--columns: found the same column for several fields. Name one for each.")
        if self.columns and not form.is_table:
            raise ConfigError(f"--columns names columns of a table, but {path} is {form.name}. Remove it.")
        if self.threshold is not None and not form.has_state:
            raise ConfigError(f"--threshold: {path} is {form.name}, which has no place for it. Remove it.")
        if self.words and not form.is_table:
            raise ConfigError(f"--words: {path} is {form.name}, which has no place for them. Remove it.")
        if self.languages and not form.has_languages:
            raise ConfigError(f"--languages: {path} is {form.name}, which has two languages. Remove it.")
        if self.languages and len(self.languages) != 2:
            raise ConfigError(
                f"--languages: found {len(self.languages)}; expected the languages of source and target, such as "
                "--languages en,de."
            )

    def check_unused(self) -> None:
        """Check that there is no option that only documents have.

        Raises:
            ConfigError: when there is one.
        """
        given = {
            "--threshold": self.threshold is not None,
            "--set-state": self.set_state,
            "--higher-is-better and --lower-is-better": self.higher_is_better is not None,
            "--languages": bool(self.languages),
        }
        if found := [name for name, is_given in given.items() if is_given]:
            raise ConfigError(f"{', '.join(found)}: for files of translations, such as XLIFF. Give FILE and -o.")


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
    path: Path,
    output: Path | IO[bytes],
    *,
    form: Format | None = None,
    document: DocumentOptions | None = None,
    on_bad: OnBad = "nan",
    rejects: Path | None = None,
    overwrite: bool = False,
    options: PredictOptions | None = None,
) -> int:
    """Score the segments of a document, and write a copy of the document with their scores.

    Args:
        model: a checkpoint, an exported system, or a name on the hub.
        path: the document, which may be compressed.
        output: the file to write, with the suffix of the document, and a second one such as ``.gz`` to compress it; or,
            for tables as text, a stream.
        form: the format of the document; by default, that of its suffix.
        document: what to read and to write.
        on_bad: what happens to segments that cannot be used; they have no score, or stop the command.
        rejects: the file for the bad segments; None writes none.
        overwrite: whether files may be replaced that kiwi has not written.
        options: how to load the system, and how it predicts.

    Returns:
        The number of bad segments.

    Raises:
        ConfigError: when options do not fit, or the document would be written over.
        DataError: when the document is not what its format says, or has no segment.
        CheckpointError: when the system cannot be loaded.
    """
    form, what = form or require_format(path), document or DocumentOptions()
    what.check(path, form)
    if not isinstance(output, Path) and not (form.is_table and form.is_text):
        raise ConfigError(f"{path} is {form.name}, which is copied with its scores. Add -o FILE.")
    if on_bad == "skip":
        raise ConfigError("--on-bad skip: a copy has all segments of the file. Choose nan or stop.")
    if isinstance(output, Path) and bare_suffix(output) != bare_suffix(path):
        raise ConfigError(
            f"{output}: found the suffix '{bare_suffix(output)}'; expected '{bare_suffix(path)}', the format of {path}."
        )
    if rejects is not None and on_bad == "stop":
        raise ConfigError("--rejects needs --on-bad nan or skip, because stop writes nothing. Remove one of the two.")
    guard = Guard([path, Path(model)], overwrite, "--overwrite")
    written = [each for each in (output, rejects) if isinstance(each, Path)]
    guard.check(written)
    if not isinstance(output, Path):
        guard.check_stream(output)
    runner = open_runner(model, options or PredictOptions())
    fields = [name for name in FIELDS if name in runner.about.input_fields]
    if const.ALIGNMENTS in fields and not form.is_table:
        fields.remove(const.ALIGNMENTS)
        runner.prepare_aligner()
    _check_system(runner, path, form, fields)
    scale = Scale.choose(what.scale, runner, prefers_common=not form.is_table)
    higher = _direction(what, scale)
    scores_only = are_scores_only(runner, what.scores_only)
    has_spans = const.ERROR_SPANS in runner.about.outputs and not scores_only
    if has_spans and not form.is_table and not form.has_spans:
        logger.warning("%s: %s has no place for error spans, which are left out.", path, form.name)
    rating = Rating(f"sha256:{runner.about.sha256}", what.threshold, higher, what.set_state, has_spans, scale.profile)
    columns = {name: what.columns.get(name, name) for name in fields}
    optional = {const.ALIGNMENTS} - what.columns.keys()
    how = HowToRead(rating, columns, optional, what.has_header, what.languages)
    scorer = Scorer(runner, path, BadRows(on_bad, option="--on-bad"), scale, scores_only=scores_only)
    staging = staged(output) if isinstance(output, Path) else nullcontext(output)
    with scorer.bad.advising(), writing_rejects(rejects, scorer.bad), staging as stage:
        n_segments, n_without_target = form.copy(path, stage, how, scorer, CHUNK_SIZE)
        if not n_segments:
            found = f"no translation in {n_without_target} units" if n_without_target else "no segment"
            raise DataError.at(path, None, found=found, expected="segments with a translation")
    if not isinstance(output, Path):
        output.flush()
    record_written(*written)
    if n_without_target:
        logger.warning("%s: %d units without a translation were left as they are.", path, n_without_target)
    if scorer.bad:
        logger.warning(scorer.bad.summary(n_segments, rejects))
    return len(scorer.bad)


def _direction(what: DocumentOptions, scale: Scale) -> bool:
    """Return whether a higher score is better, which ``--set-state`` needs to know."""
    known, given = scale.higher_is_better, what.higher_is_better
    if known is not None and given is not None and known != given:
        better = "higher" if known else "lower"
        scores = "quality from 0 to 100" if scale.is_common else str(scale.meaning)
        option = "--higher-is-better" if given else "--lower-is-better"
        raise ConfigError(f"{option}: these scores are {scores}, where {better} is better. Remove the option.")
    if known is None and given is None and what.set_state:
        raise ConfigError(
            "--set-state needs to know which scores are good. Add --higher-is-better (such as DA) or --lower-is-better "
            "(such as HTER), or set it once with: kiwi inspect MODEL --set-score kind=hter."
        )
    return next((higher for higher in (known, given) if higher is not None), True)


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
            "system, or give source and target as text, with --source and --target."
        )


class Scorer:
    """Scores segments of a document.

    Args:
        runner: the system.
        path: the document, for errors.
        bad: what happens to segments that cannot be used; they are noted there.
        scale: the scale of the scores.
        scores_only: whether to omit the outputs for words.
    """

    def __init__(self, runner: Runner, path: Path, bad: BadRows, scale: Scale, *, scores_only: bool) -> None:
        self.bad = bad
        self._runner = runner
        self._scale = scale
        self._path = path
        self._scores_only = scores_only
        self._n_scored = 0

    def __call__(self, segments: Sequence[Segment]) -> Sequence[Row]:
        """Return the predictions for each segment; those that cannot be used have the score NaN."""
        first = self._n_scored + 1
        self._n_scored += len(segments)
        for number, segment in enumerate(segments, start=first):
            if (error := segment.error or self._error(segment)) is not None:
                if self.bad.note is None:
                    raise error
                self.bad.note(number, error, segment.texts if segment.content is None else segment.content)
        names = list(segments[-1].texts) if segments else []  # rows before the first valid one have all fields
        check_aligner(self._runner, names)
        columns = self.bad.apply({name: [each.texts[name] for each in segments] for name in names}, first, drop=False)
        predictions = self._runner.predict_columns(columns)
        targets = [each.texts.get(const.TARGET, "") if each.given is None else each.given for each in segments]
        if predictions.error_spans is not None:
            placed = [place_spans(*each) for each in zip(predictions.error_spans, targets, strict=True)]
            predictions = replace(predictions, error_spans=placed)
        found = self._scale.apply(predictions.columns(targets=targets))
        if self._scores_only:
            found = without_words(found)
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    def _error(self, segment: Segment) -> DataError | None:
        texts: dict[str, Any] = {name: [text] for name, text in segment.texts.items()}
        try:
            check_columns(texts, dict.fromkeys(texts, self._path), first=segment.line)
        except DataError as error:
            return error
        return None
