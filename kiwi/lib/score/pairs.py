"""The language pair of each segment, which intervals of scores and decision thresholds may depend on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kiwi import constants as const
from kiwi.data.documents.parts import Languages, Segment
from kiwi.data.files.lines import Columns
from kiwi.exceptions import ConfigError
from kiwi.runner.engine import AboutSystem


@dataclass(frozen=True)
class LanguagePairs:
    """Finds the language pair of each segment, if predictions depend on it."""

    about: AboutSystem | None = None
    """The system; None if its predictions do not depend on the language pair."""

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
            ConfigError: when a column of language pairs is named, and predictions do not depend on it.
        """
        if about.reads_pairs:
            return cls(about, (languages[0], languages[1]) if languages else (None, None))
        if const.LANGUAGE_PAIR in columns:
            raise ConfigError(
                f"--columns {const.LANGUAGE_PAIR}: found a column of language pairs, but this system is not calibrated "
                "by language pair, and has no thresholds of pairs. Remove it, or run: kiwi calibrate --lp, or kiwi "
                "thresholds --lp."
            )
        return cls()

    @property
    def fields(self) -> tuple[str, ...]:
        """The field of segments that is read where there is a column for it."""
        return () if self.about is None else (const.LANGUAGE_PAIR,)

    def add(self, columns: Columns, segments: Sequence[Segment] = ()) -> Columns:
        """Return columns with the language pair of each segment, where it is known and there is no column of it.

        Args:
            columns: the fields of some segments.
            segments: the segments of a document, which may say their languages.
        """
        if self.about is None or const.LANGUAGE_PAIR in columns:
            return columns
        if segments:
            pairs = [self._pair_of(each.languages) for each in segments]
        else:
            pairs = [self._pair_of((None, None))] * len(columns[const.TARGET])
        return columns | {const.LANGUAGE_PAIR: pairs} if any(pairs) else columns

    def _pair_of(self, own: Languages) -> str:
        assert self.about is not None
        source, target = own[0] or self.languages[0], own[1] or self.languages[1]
        return self.about.pair_of(source, target) if source and target else ""
