"""The flags of segments that are scored, and the languages that they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from kiwi import constants as const
from kiwi.data.documents.parts import Segment
from kiwi.data.files.lines import Columns
from kiwi.data.flags import find_flags
from kiwi.data.languages import TAG
from kiwi.data.text.language_pairs import split_pair
from kiwi.exceptions import ConfigError
from kiwi.runner.engine import AboutSystem

Languages = tuple[str | None, str | None]
"""The languages of source and translation, where they are known."""


@dataclass(frozen=True)
class Flagger:
    """Finds the flags of segments."""

    languages: Languages = (None, None)
    """The languages of segments that do not say theirs."""

    @classmethod
    def choose(cls, languages: Sequence[str], about: AboutSystem) -> Flagger:
        """Return what finds flags.

        Args:
            languages: the languages of source and translation; by default, those of the system, if it has one pair.
            about: the system.
        """
        if languages:
            return cls((languages[0], languages[1]))
        pairs = about.data.language_pairs
        return cls(split_pair(pairs[0])) if len(pairs) == 1 else cls()

    def flag_columns(self, columns: Columns) -> list[list[str]]:
        """Return the flags of each segment of some columns."""
        pairs = columns.get(const.LANGUAGE_PAIR) or [""] * len(columns[const.TARGET])
        texts = zip(columns[const.SOURCE], columns[const.TARGET], pairs, strict=True)
        return [find_flags(source, target, *self.languages_of(pair)) for source, target, pair in texts]

    def flag_segment(self, segment: Segment) -> list[str]:
        """Return the flags of a segment of a document."""
        if segment.error is not None:
            return []
        languages = self.languages_of(segment.texts.get(const.LANGUAGE_PAIR, ""), segment.languages)
        target = segment.texts[const.TARGET]
        found = find_flags(segment.texts[const.SOURCE], target, *languages, segment.codes)
        if found and segment.other_source is not None:
            others = find_flags(segment.other_source, target, *languages, segment.codes)
            found = [flag for flag in found if flag in others]
        return found

    def languages_of(self, pair: str = "", own: Languages = (None, None)) -> Languages:
        """Return the languages of a segment.

        Args:
            pair: its language pair, if it has a column for it.
            own: its languages, as far as its document says them.
        """
        with suppress(ValueError):  # a wrong language pair is reported where predictions depend on it
            return split_pair(pair)
        return own[0] or self.languages[0], own[1] or self.languages[1]


def check_languages(languages: Sequence[str]) -> None:
    """Check the languages that are given for source and translation, if any.

    Raises:
        ConfigError: when there are not two of them, or one is no code of a language.
    """
    if languages and (len(languages) != 2 or not all(languages)):
        raise ConfigError(
            f"--languages: found {len(languages)}; expected the languages of source and target, such as "
            "--languages en,de."
        )
    if not all(map(TAG.fullmatch, languages)):
        raise ConfigError(
            f"--languages: found {','.join(languages):.60}; expected the codes of two languages, such as en,pt-BR."
        )
