"""The form of translations in WMT22 and WMT23, where ``<EOS>`` is the last word."""

from __future__ import annotations

from collections.abc import Sequence

from kiwi.constants import BAD, OK

EOS = "<EOS>"
"""The last word of each translation in WMT22 and WMT23, whose tag marks an omission at the end."""


def with_eos(words: Sequence[str], has_eos: bool) -> Sequence[str]:
    """Return words with ``<EOS>`` at their end, where translations have it."""
    return [*words, EOS] if has_eos and list(words[-1:]) != [EOS] else words


def target_with_eos(
    words: Sequence[str], tags: Sequence[str], gap_tags: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Convert words and tags of a translation to the form of WMT22 and WMT23.

    A word is BAD if its own tag or that of the gap before it is BAD; ``<EOS>`` is BAD if the last gap is BAD.

    Args:
        words: the words of the translation; ``<EOS>`` is appended unless it is the last word.
        tags: the tags of the words.
        gap_tags: the tags of the gaps; None means no omissions.
    """
    words, folded = list(words), list(tags)
    if words[-1:] != [EOS]:
        words.append(EOS)
        folded.append(OK)
    for index, gap in enumerate(gap_tags or ()):
        if gap == BAD:
            # There is no word after <EOS>, so that omissions there count with <EOS>.
            folded[min(index, len(folded) - 1)] = BAD
    return words, folded
