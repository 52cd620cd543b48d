"""The language pair of each segment, which the intervals of scores depend on where the system is calibrated by pair."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kiwi import constants as const
from kiwi.data.documents.parts import Languages, Segment
from kiwi.data.files.lines import Columns
from kiwi.exceptions import ConfigError
from kiwi.runner.engine import AboutSystem
from kiwi.systems.manifest.intervals import ScoreIntervals


@dataclass(frozen=True)
class LanguagePairs:
    """Finds the language pair of each segment, if the system is calibrated by language pair."""

    intervals: ScoreIntervals | None = None
    """The intervals of the system; None if they do not depend on the language pair."""

    languages: Languages = (None, None)
    """The languages of segments that do not say theirs."""

    @classmethod
    def choose(cls, about: AboutSystem, languages: Sequence[str], columns: Collection[str]) -> LanguagePairs:
        """Return what finds the language pairs.

        Args:
            about: the system.
            languages: the languages of source and translation of all segments, if they are given.
            columns: the fields whose columns are named.

        Raises:
            ConfigError: when a column of language pairs is named, and the system is not calibrated by language pair.
        """
        intervals = about.data.intervals
        if intervals is not None and intervals.pairs and const.SENTENCE_SCORES in about.outputs:
            return cls(intervals, (languages[0], languages[1]) if languages else (None, None))
        if const.LANGUAGE_PAIR in columns:
            raise ConfigError(
                f"--columns {const.LANGUAGE_PAIR}: found a column of language pairs, but this system is not calibrated "
                "by language pair. Remove it, or run: kiwi calibrate --lp."
            )
        return cls()

    @property
    def fields(self) -> tuple[str, ...]:
        """The field of segments that is read where there is a column for it."""
        return () if self.intervals is None else (const.LANGUAGE_PAIR,)

    def add(self, columns: Columns, segments: Sequence[Segment] = ()) -> Columns:
        """Return columns with the language pair of each segment, where it is known and there is no column of it.

        Args:
            columns: the fields of some segments.
            segments: the segments of a document, which may say their languages.
        """
        if self.intervals is None or const.LANGUAGE_PAIR in columns:
            return columns
        if segments:
            pairs = [self._pair_of(each.languages) for each in segments]
        else:
            pairs = [self._pair_of((None, None))] * len(columns[const.TARGET])
        return columns | {const.LANGUAGE_PAIR: pairs} if any(pairs) else columns

    def _pair_of(self, own: Languages) -> str:
        assert self.intervals is not None
        source, target = own[0] or self.languages[0], own[1] or self.languages[1]
        return self.intervals.pair_of(source, target) if source and target else ""
