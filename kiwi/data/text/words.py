"""The definition of a word."""

from __future__ import annotations


def words(line: str) -> list[str]:
    """Split a segment into its words, or a line of tags into tags, at ASCII spaces and tabs.

    Any other space, such as the no-break space of ``10\u00a0000``, is part of a word.
    """
    parts = line.replace("\t", " ").split(" ")
    return [word for word in parts if word] if "" in parts else parts
