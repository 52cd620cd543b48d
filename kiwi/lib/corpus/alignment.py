"""The word alignments of a corpus: those of its files, and automatic ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kiwi import constants as const
from kiwi.lib.corpus.labelling import Row
from kiwi.lib.corpus.options import POST_EDIT_ALIGNMENTS, CorpusOptions


class Alignments:
    """Finds the alignments of rows.

    Args:
        options: how the corpus is made.
    """

    def __init__(self, options: CorpusOptions) -> None:
        self._options = options
        self._aligner: Any = None

    def of(self, rows: Sequence[Row]) -> list[dict[str, str]]:
        """Return the alignments of each row by field: those that were read with it, or else automatic ones."""
        names = (const.ALIGNMENTS, POST_EDIT_ALIGNMENTS)
        found = [{name: row.fields[name] for name in names if name in row.fields} for row in rows]
        if not self._options.align:
            return found
        wanted = []
        for row, own in zip(rows, found, strict=True):
            if row.rule:
                continue
            if const.ALIGNMENTS not in own:
                wanted.append((row, own, const.ALIGNMENTS, const.TARGET))
            # Without edits, no source word is BAD, whatever it is aligned to.
            if POST_EDIT_ALIGNMENTS not in own and self._options.source_tags != "none" and row.path.strip("="):
                wanted.append((row, own, POST_EDIT_ALIGNMENTS, const.POST_EDIT))
        if wanted:
            sources = [row.texts[const.SOURCE] for row, _, _, _ in wanted]
            lines = self._align(sources, [row.texts[side] for row, _, _, side in wanted])
            for (_, own, name, _), line in zip(wanted, lines, strict=True):
                own[name] = line
        return found

    def _align(self, source: Sequence[str], target: Sequence[str]) -> Iterable[str]:
        """Align the words of segments by a pretrained encoder, a line of pairs for each segment."""
        if self._aligner is None:
            from importlib import import_module

            self._aligner = import_module("kiwi.runner.word_aligner").load_word_aligner(self._options.encoder)
        lines: Iterable[str] = self._aligner.align(source, target)
        return lines
