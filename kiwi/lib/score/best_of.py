"""Keep the best candidate of each source: ``kiwi score --best-of``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kiwi import constants as const
from kiwi.data.files.table_writers import json_line, tsv_cell
from kiwi.data.flags import OF_WHOLE, find_flags
from kiwi.data.flags.language import start_loading
from kiwi.data.readers import check_columns
from kiwi.data.segments.bad_rows import BadRows
from kiwi.data.segments.piped import STDIN
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.score.candidates import RESULTS, BestOf, Candidate, Group
from kiwi.lib.score.choices import are_scores_only, check_aligner, without_words
from kiwi.lib.score.flagging import Flagger, check_languages
from kiwi.lib.score.inputs import FIELDS, Input
from kiwi.lib.score.manifest import Manifest
from kiwi.lib.score.pairs import LanguagePairs
from kiwi.lib.score.scale import Scale, ScaleName
from kiwi.lib.score.stream import CHUNK_SIZE, Form
from kiwi.outputs import OUTPUTS
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions


def score_best(
    model: str | Path,
    segments: Input,
    output: IO[str],
    *,
    best_of: BestOf,
    languages: Sequence[str] = (),
    form: Form = "tsv",
    scores_only: bool | None = False,
    header: bool = True,
    stream: bool = False,
    scale: ScaleName | None = None,
    higher_is_better: bool | None = None,
    options: PredictOptions | None = None,
    bad: BadRows | None = None,
    manifest: Manifest | None = None,
) -> int:
    """Write the best candidate of each source, one line per source, in the order of the sources.

    The columns are the text of the candidate (``target``), its number from 1 (``candidate``), the number of candidates,
    the ``margin`` by which its score is better than the second one, and its predictions. Of equal scores, the first
    candidate is the best. A candidate that is wrong as a whole by its flags, such as the source itself, is the best
    only if all candidates are, whatever its score; the margin may be negative then.

    Args:
        model: a checkpoint, an exported system, or a name on the hub.
        segments: the input of segments.
        output: the stream to write to.
        best_of: where the candidates are.
        languages: the languages of source and translation, which flags, intervals and thresholds depend on.
        form: the format, ``tsv`` or ``jsonl``.
        scores_only: whether to omit the outputs for words; None omits them.
        header: whether TSV starts with a line of column names.
        stream: whether to write the line of each source before the next source is read.
        scale: the scale of the scores; None is that of the system.
        higher_is_better: whether a higher score is better; by default, what the system remembers of its scores.
        options: how to load the system, and how it predicts.
        bad: what happens to candidates that cannot be used; they are noted there. By default, they stop it.
        manifest: what is told what was scored.

    Returns:
        The number of candidates; without those that are left out.

    Raises:
        ConfigError: when options are incompatible, or it is not known which scores are good.
        DataError: when the candidates do not fit the sources; or one cannot be used, if bad ones stop the command.
        CheckpointError: when the system cannot be loaded.
    """
    segments.check()
    check_languages(languages)
    segments.check_output(form, header=header)
    if languages:
        start_loading()
    runner = open_runner(model, options or PredictOptions())
    if const.SENTENCE_SCORES not in runner.about.outputs:
        raise ConfigError(f"--best-of: this system predicts {', '.join(runner.about.outputs)}, and no score.")
    written_on = Scale.choose(scale, runner)
    manifest = manifest or Manifest()
    manifest.about, manifest.scale = runner.about, written_on
    pairs = LanguagePairs.choose(runner.about, languages, segments.columns)
    fields = _fields(segments, best_of, runner, pairs)
    files = segments.files or dict.fromkeys(fields, STDIN if segments.table is None else segments.table)
    chooser = _Chooser(
        runner,
        written_on,
        pairs,
        Flagger.choose(languages, runner.about),
        bad=BadRows("stop") if bad is None else bad,  # one without any is false
        fields=fields,
        files=files,
        key_column=best_of.column,
        sign=1 if written_on.direction(higher_is_better, "--best-of") else -1,
        scores_only=are_scores_only(runner, scores_only),
    )
    has_names = form == "tsv" and header
    is_first, n_candidates = True, 0
    with chooser.bad.advising():
        for part in _chunks(best_of.read(segments, fields, chooser.bad), 1 if stream else CHUNK_SIZE):
            for group, n_usable, row in chooser.choose(part):
                n_candidates += n_usable if chooser.bad.on_bad == "skip" else len(group.candidates)
                if row is None:
                    continue
                names = written_on.titled(row) if has_names else list(row)
                manifest.count(names, len(group.candidates), None)
                if form == "tsv":
                    _check_tabs(group, row, files)
                    output.write("\t".join(names) + "\n" if has_names and is_first else "")
                    output.write("\t".join(map(tsv_cell, row.values())) + "\n")
                else:
                    is_chosen = not math.isnan(row["candidate"])
                    reason = "" if is_chosen else chooser.bad.reasons.get(group.candidates[0].line, "")
                    output.write(json_line(row | ({"reason": reason} if reason else {})) + "\n")
                is_first = False
            output.flush()
    return n_candidates


def _fields(segments: Input, best_of: BestOf, runner: Runner, pairs: LanguagePairs) -> list[str]:
    """Return the fields to read, and prepare what aligns words where alignments are not given.

    Raises:
        ConfigError: when the system reads a field that candidates cannot have, or words cannot be aligned.
    """
    fields = [name for name in FIELDS if name in runner.about.input_fields]
    has_pairs = segments.table is not None and not segments.lacks(const.LANGUAGE_PAIR)
    if has_pairs or const.LANGUAGE_PAIR in segments.columns:
        fields += pairs.fields
    if best_of.is_row and const.TARGET_POS in fields:
        raise ConfigError("--best-of: this system reads target_pos, of which each candidate needs its own. Use rows.")
    if const.ALIGNMENTS in fields and (best_of.is_row or segments.lacks(const.ALIGNMENTS) or _is_bare_pipe(segments)):
        fields.remove(const.ALIGNMENTS)
        runner.prepare_aligner()
    check_aligner(runner, fields)
    return fields


@dataclass(frozen=True)
class _Chooser:
    """The choice of the best candidate of each source."""

    runner: Runner
    scale: Scale
    pairs: LanguagePairs
    flagger: Flagger
    bad: BadRows
    fields: Sequence[str]
    files: Mapping[str, Path]
    key_column: str | None
    sign: int
    scores_only: bool

    def choose(self, part: Sequence[Group]) -> Iterator[tuple[Group, int, dict[str, Any] | None]]:
        """Yield each source, the number of its candidates that can be used, and its row of the result.

        The row is None where no candidate can be used and such sources are left out.
        """
        usable = [[_screen(each, group, self.files, self.bad) for each in group.candidates] for group in part]
        self.bad.flush()
        rows = [
            each.texts if is_usable else dict.fromkeys(each.texts, "")
            for group, flags in zip(part, usable, strict=True)
            for each, is_usable in zip(group.candidates, flags, strict=True)
        ]
        columns = {name: [row[name] for row in rows] for name in self.fields}
        predicted = self.runner.predict_columns(self.pairs.add(columns))
        found = self.scale.apply(predicted.columns(targets=columns[const.TARGET]))
        scores = found[OUTPUTS[const.SENTENCE_SCORES].columns[0]]
        if self.scores_only:
            found = without_words(found)
        first = 0
        for group, flags in zip(part, usable, strict=True):
            is_wrong = [_is_wrong(each, self.flagger) for each in group.candidates]
            place, margin = choose(scores[first : first + len(flags)], self.sign, is_wrong)
            row = None
            if place is not None or self.bad.on_bad != "skip":
                row = _result(group, place, margin, self.key_column)
                row |= {name: cells[first + (place or 0)] for name, cells in found.items()}
            yield group, sum(flags), row
            first += len(flags)


def choose(scores: Sequence[float], sign: int, is_wrong: Sequence[bool] | None = None) -> tuple[int | None, float]:
    """Return the index of the best score, the first one of equal ones, and its margin over the second best.

    Args:
        scores: the scores of the candidates; NaN for those without one.
        sign: 1 if a higher score is better, else -1.
        is_wrong: the candidates that come after all others, whatever their scores.

    Returns:
        None for no score at all; the margin is NaN where there is no second one.
    """
    wrong = is_wrong or [False] * len(scores)
    order = sorted(
        (index for index, score in enumerate(scores) if not math.isnan(score)),
        key=lambda index: (wrong[index], -sign * scores[index]),
    )
    if not order:
        return None, math.nan
    margin = sign * (scores[order[0]] - scores[order[1]]) if len(order) > 1 else math.nan
    return order[0], round(margin, 6) + 0.0  # never -0.0


def _is_wrong(candidate: Candidate, flagger: Flagger) -> bool:
    """Return whether the flags of a candidate say that it is wrong as a whole."""
    texts = candidate.texts
    languages = flagger.languages_of(texts.get(const.LANGUAGE_PAIR, ""))
    return not OF_WHOLE.isdisjoint(find_flags(texts[const.SOURCE], texts[const.TARGET], *languages))


def _is_bare_pipe(segments: Input) -> bool:
    """Return whether a pipe has no column that is named as one of alignments."""
    return not segments.files and segments.table is None and const.ALIGNMENTS not in segments.columns


def _chunks(groups: Iterator[Group], size: int) -> Iterator[list[Group]]:
    """Yield as many sources at a time as have about ``size`` candidates."""
    part: list[Group] = []
    n_candidates = 0
    for group in groups:
        part.append(group)
        n_candidates += len(group.candidates)
        if n_candidates >= size:
            yield part
            part, n_candidates = [], 0
    if part:
        yield part


def _screen(candidate: Candidate, group: Group, files: Mapping[str, Path], bad: BadRows) -> bool:
    """Return whether a candidate can be used; note one that cannot.

    Raises:
        DataError: for such a candidate, if bad ones stop the command.
    """
    error = candidate.error or _error(candidate, group, files)
    if error is None:
        return True
    if bad.note is None:
        raise error
    bad.note(candidate.line, error, dict(candidate.texts) if candidate.content is None else candidate.content)
    return False


def _error(candidate: Candidate, group: Group, files: Mapping[str, Path]) -> DataError | None:
    cells = {name: [text] for name, text in candidate.texts.items() if name in files}
    try:
        check_columns(cells, files, first=candidate.line)
        return None
    except DataError as error:
        if files[const.SOURCE] == files[const.TARGET] or not str(error).startswith(f"{files[const.SOURCE]}, "):
            return error
    try:
        check_columns(cells, files, first=group.number)  # the line of the source
    except DataError as error:
        return error
    return None


def _result(group: Group, place: int | None, margin: float, key_column: str | None) -> dict[str, Any]:
    """Return the columns that precede the predictions."""
    text = "" if place is None else group.candidates[place].texts[const.TARGET]
    number = math.nan if place is None else place + 1
    n_candidates = sum(each.error is None for each in group.candidates)
    key = {} if key_column is None or group.key is None else {key_column: group.key}
    return key | dict(zip(RESULTS, (text, number, n_candidates, margin), strict=True))


def _check_tabs(group: Group, row: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    for name, cell in row.items():
        if isinstance(cell, str) and "\t" in cell:
            raise DataError.at(
                files[const.TARGET],
                group.number,
                found=f"a tab in the {name} '{cell:.60}'",
                expected="none, since the lines to write are TSV",
                advice="Add -f jsonl.",
            )
