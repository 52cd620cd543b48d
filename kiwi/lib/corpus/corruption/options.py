"""The options of ``kiwi corpus corrupt``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from kiwi import constants as const
from kiwi.data.datasets.split import LANGUAGE
from kiwi.exceptions import ConfigError
from kiwi.lib.corpus.corruption.kinds import CORRUPTIONS
from kiwi.lib.corpus.options import Part
from kiwi.utils.io import did_you_mean

NO_CORRUPTION = "none"
"""The name of a translation that was left as it is."""


@dataclass(frozen=True)
class CorruptOptions:
    """How translations are corrupted."""

    kinds: Collection[str] = tuple(CORRUPTIONS)
    """The names of the corruptions, see :data:`CORRUPTIONS`."""

    clean: float = 0.25
    """The share of translations that are left as they are."""

    whole: float = 0.25
    """The share of the other translations that get an error that concerns the whole translation."""

    most: int = 3
    """The largest number of errors within a translation."""

    copies: int = 1
    """The number of times that each translation is corrupted."""

    seed: int = 1
    """The seed. A segment's errors depend on it, on the segment's number, and on the segments around it."""

    part: Part = "train"
    """The part of the corpus that the files are."""

    source_language: str | None = None
    """The BCP 47 tag of the source's language; with a language pair for each segment, None."""

    target_language: str | None = None
    """The BCP 47 tag of the translations' language; with a language pair for each segment, None."""

    def check(self, fields: Collection[str]) -> None:
        """Check the options.

        Raises:
            ConfigError: when an option is out of range, unknown or incompatible.
        """
        for kind in self.kinds:
            if kind not in CORRUPTIONS:
                raise ConfigError(f"--kinds: '{kind}' is not a corruption; {did_you_mean(kind, CORRUPTIONS)}")
        if repeated := [kind for kind, n in Counter(self.kinds).items() if n > 1]:
            raise ConfigError(f"--kinds: found '{repeated[0]}' more than once. Name each kind once.")
        if not self.kinds:
            raise ConfigError(f"--kinds: found none; expected some of {', '.join(CORRUPTIONS)}.")
        for name, share in (("clean", self.clean), ("whole", self.whole)):
            if not 0 <= share <= 1:
                raise ConfigError(f"--{name}: found {share:g}; expected a share from 0 to 1.")
        for name, count in (("most", self.most), ("copies", self.copies)):
            if count < 1:
                raise ConfigError(f"--{name}: found {count}; expected at least 1.")
        for side, language in (("source", self.source_language), ("target", self.target_language)):
            if language is None:
                continue
            if const.LANGUAGE_PAIR in fields:
                raise ConfigError(
                    f"--{side}-language: found '{language}' beside --lp, which has the languages. Remove one."
                )
            if not LANGUAGE.fullmatch(language):
                raise ConfigError(f"--{side}-language: found '{language}'; expected a BCP 47 tag, such as en or pt-BR.")
        if "foreign" in self.kinds and len(self.kinds) == 1 and const.LANGUAGE_PAIR not in fields:
            raise ConfigError("--kinds foreign needs translations into several languages. Give their pairs with --lp.")
