"""What a word is."""

from __future__ import annotations


def words(line: str) -> list[str]:
    """The words of a segment, or the tags of its words: what ASCII spaces and tabs separate.

    Any other space, such as the no-break space of ``10\u00a0000``, is part of its word.
    """
    parts = line.replace("\t", " ").split(" ")
    return [word for word in parts if word] if "" in parts else parts
