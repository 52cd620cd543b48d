"""The options of commands that name the files of texts which a system reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kiwi import constants as const
from kiwi.exceptions import ConfigError

OPTIONAL_TEXTS = (const.ALIGNMENTS, const.SOURCE_POS, const.TARGET_POS)
"""The fields that only some systems read."""


def refuse_unread_texts(given: Collection[str], reads: Sequence[str], place: object) -> None:
    """Refuse files that a system does not read, which would be ignored.

    Args:
        given: the fields that files are given for.
        reads: the fields that the system reads.
        place: the system's name, for errors.

    Raises:
        ConfigError: when there is such a file.
    """
    if unread := [field for field in OPTIONAL_TEXTS if field in given and field not in reads]:
        options = ", ".join(f"--{field.replace('_', '-')}" for field in unread)
        pronoun = "it" if len(unread) == 1 else "them"
        raise ConfigError(
            f"{options}: {place} reads {', '.join(reads)}, and not {' or '.join(unread)}. Remove {pronoun}."
        )
