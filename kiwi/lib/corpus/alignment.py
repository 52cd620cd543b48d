"""The word alignments of a corpus: those of its files, and automatic ones."""

from __future__ import annotations

from collections.abc import Sequence

from kiwi import constants as const
from kiwi.data.text.word_alignment import Method
from kiwi.exceptions import MissingExtraError
from kiwi.lib.corpus.labelling import Row
from kiwi.lib.corpus.options import POST_EDIT_ALIGNMENTS, CorpusOptions
from kiwi.runner.word_aligner import WordAligner, load_word_aligner

METHODS: dict[str, Method] = {const.ALIGNMENTS: "argmax", POST_EDIT_ALIGNMENTS: "softmax"}
"""The method by field: more links with the post-edit find more of the source words that the shared tasks tag BAD."""

SIDES = {const.ALIGNMENTS: const.TARGET, POST_EDIT_ALIGNMENTS: const.POST_EDIT}
"""The text whose words are aligned with those of the source, by field."""


class Alignments:
    """Finds the alignments of rows.

    Args:
        options: how the corpus is made.
        fields: the fields of the input, which may include alignments.

    Raises:
        MissingExtraError: when words are to be aligned, and what aligns them is not installed.
    """

    def __init__(self, options: CorpusOptions, fields: Sequence[str]) -> None:
        self._sides = {name: SIDES[name] for name in options.fields_to_align(fields)}
        self._aligner = load_aligner(options.encoder) if self._sides else None

    def of(self, rows: Sequence[Row]) -> list[dict[str, str]]:
        """Return the alignments of each row by field: those that were read with it, or else automatic ones."""
        names = (const.ALIGNMENTS, POST_EDIT_ALIGNMENTS)
        found = [{name: row.fields[name] for name in names if name in row.fields} for row in rows]
        wanted = [
            (row, own, name, side)
            for row, own in zip(rows, found, strict=True)
            for name, side in self._sides.items()
            # Without edits, no source word is BAD, whatever it is aligned to.
            if not row.rule and (name == const.ALIGNMENTS or row.path.strip("="))
        ]
        if self._aligner is not None and wanted:
            sources = [row.texts[const.SOURCE] for row, _, _, _ in wanted]
            targets = [row.texts[side] for row, _, _, side in wanted]
            lines = self._aligner.align(sources, targets, [METHODS[name] for _, _, name, _ in wanted])
            for (_, own, name, _), line in zip(wanted, lines, strict=True):
                own[name] = line
        return found


def load_aligner(encoder: str | None) -> WordAligner:
    """Load the encoder that aligns words."""
    try:
        return load_word_aligner(encoder)
    except MissingExtraError as error:
        raise MissingExtraError(
            f"{error} Or give --alignments and --post-edit-alignments, or --no-align with --source-tags none."
        ) from error
