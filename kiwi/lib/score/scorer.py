"""Scores the segments of documents."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.documents.parts import Languages, Row, Segment, SkippedRow, place_spans
from kiwi.data.files.cells import advising_columns
from kiwi.data.files.lines import Columns
from kiwi.data.flags import COLUMN
from kiwi.data.languages import is_same_language
from kiwi.data.segments.bad_rows import BadRows
from kiwi.lib.console.progress import Progress
from kiwi.lib.score.choices import check_aligner, without_words
from kiwi.lib.score.deciding import Decider, add_decisions, without_group
from kiwi.lib.score.flagging import Flagger
from kiwi.lib.score.inputs import GROUP, segment_columns
from kiwi.lib.score.manifest import Manifest
from kiwi.lib.score.pairs import LanguagePairs
from kiwi.lib.score.scale import Scale
from kiwi.runner import Runner

logger = logging.getLogger(__name__)

Observe = Callable[[Sequence[Segment], Sequence[str] | None, Mapping[str, Sequence[Any]], Scale], None]
"""A function that is told some segments, the language pair of each, the columns of their estimates, and the scale of
their scores; None for language pairs that are not known, or that predictions do not depend on."""


class Scorer:
    """Scores segments of a document.

    Args:
        runner: the system.
        path: the document, for errors.
        bad: what happens to segments that cannot be used; they are noted there.
        scale: the scale of the scores.
        manifest: what is told what was scored.
        flagger: what finds flags; None finds none.
        decider: what decides which translations are approved; None if nothing does.
        pairs: what finds the language pairs of segments.
        scores_only: whether to omit the outputs for words.
        shows_flags: whether flags are written; a policy reads them in any case.
        is_titled: whether the name of the column of scores says what they mean.
        languages: the languages of segments that do not say theirs.
        asked: the languages of source and translation that were asked for, if any; a segment that says others is
            warned about.
    """

    def __init__(
        self,
        runner: Runner,
        path: Path,
        bad: BadRows,
        scale: Scale,
        manifest: Manifest,
        flagger: Flagger | None,
        decider: Decider | None,
        pairs: LanguagePairs,
        *,
        scores_only: bool,
        shows_flags: bool,
        is_titled: bool,
        languages: Languages,
        asked: Sequence[str] = (),
    ) -> None:
        self.bad = bad
        self.progress: Progress | None = None
        """What is told how many segments are scored."""
        self.observe: Observe | None = None
        """What is told the estimates for all segments, if anything is."""
        self.manifest = manifest
        """What is told what was scored."""
        self._runner = runner
        self._scale = scale
        self._path = path
        self._flagger = flagger
        self._decider = decider
        self._pairs = pairs
        self._scores_only = scores_only
        self._shows_flags = shows_flags
        self._is_titled = is_titled
        self._n_scored = 0
        self._languages = languages
        self._asked = asked

    @contextmanager
    def advising(self) -> Iterator[None]:
        """Add the next step to errors of segments that stop the command, and of tables that lack a column."""
        special = self._decider.advice if self._decider is not None else {}
        with self.bad.advising(), advising_columns(special=special):
            yield

    def __call__(self, segments: Sequence[Segment]) -> Sequence[Row]:
        """Return the predictions for each segment; those that cannot be used have the score NaN, or are skipped."""
        if not segments:
            return []
        self._note_other_languages(segments)
        first = self._n_scored + 1
        given = segment_columns(segments, first, self._path, self.bad)
        check_aligner(self._runner, list(given))
        if not self._n_scored and const.ALIGNMENTS in self._runner.about.input_fields and const.ALIGNMENTS not in given:
            self._runner.prepare_aligner()
        self._n_scored += len(segments)
        columns = self.bad.apply(given, first, drop=False)
        read = self._pairs.add(without_group(columns), segments)
        predictions = self._runner.predict_columns(read)
        targets = [each.texts.get(const.TARGET, "") if each.given is None else each.given for each in segments]
        if predictions.error_spans is not None:
            placed = [place_spans(*each) for each in zip(predictions.error_spans, targets, strict=True)]
            predictions = replace(predictions, error_spans=placed)
        predicted = predictions.columns(targets=targets)
        found = self._scale.apply(predicted)
        if self._scores_only:
            found = without_words(found)
        flags = None if self._flagger is None else list(map(self._flagger.flag_segment, segments))
        if flags is not None and self._shows_flags:
            found[COLUMN] = flags
        groups = {} if self._decider is None else self._groups(segments, columns)
        found |= add_decisions(self._decider, predicted, columns | groups, flags)
        if self.observe is not None:
            self.observe(segments, read.get(const.LANGUAGE_PAIR), found, self._scale)
        names = self._scale.titled(found) if self._is_titled else list(found)
        self.manifest.count(names, len(segments), found.get(COLUMN))
        if self.progress is not None:
            self.progress.advance(len(segments))
        rows = [dict(zip(names, row, strict=True)) for row in zip(*found.values(), strict=True)]
        if self.bad.on_bad == "skip":
            is_bad = [number in self.bad.reasons for number in range(first, first + len(rows))]
            return [SkippedRow(row) if bad else row for row, bad in zip(rows, is_bad, strict=True)]
        return rows

    def _groups(self, segments: Sequence[Segment], columns: Columns) -> Columns:
        """Return the column of groups for a document that has none, if the policy has groups of language pairs."""
        if GROUP in columns or self._decider is None:
            return {}
        return self._decider.groups_of([self._known_languages(each.languages) for each in segments])

    def _note_other_languages(self, segments: Sequence[Segment]) -> None:
        """Warn once if a document says other languages than those that are given for segments without any."""
        if not self._asked:
            return
        for each in segments:
            for own, asked in zip(each.languages, self._asked, strict=True):
                if own and not is_same_language(own, asked):
                    form = (
                        "%s, line %d: the document gives the language as %s, which is used instead of %s (--languages)."
                    )
                    logger.warning(form, self._path, each.line, own, asked)
                    self._asked = ()
                    return

    def _known_languages(self, own: Languages) -> Languages:
        source, target = self._languages
        return own[0] or source, own[1] or target
