"""Units of PO, which have no machine translation."""

from __future__ import annotations

from typing_extensions import override

from kiwi.data.documents.marks.decisions import parse_decisions
from kiwi.data.documents.parts import Segment, one_line
from kiwi.data.documents.po import PO, Entry
from kiwi.data.documents.rating import Rating
from kiwi.data.post_edits.units import Unit


class POUnits(PO):
    """A catalogue of gettext, of which each form of each entry is a unit."""

    def __init__(self) -> None:
        super().__init__(Rating())
        self.units: list[Unit] = []
        self._n_entries = 0

    @override
    def segments(self, entry: Entry, msgid: str) -> list[Segment]:
        self._n_entries += 1
        forms, decisions = self.forms(entry, msgid), parse_decisions(entry.decisions)
        for number, (source, target) in enumerate(forms):
            self.units.append(
                Unit(
                    entry.line,
                    (str(self._n_entries), str(number)),
                    one_line(source),
                    one_line(target),
                    ("", self._language or ""),
                    unconfirmed="fuzzy" if entry.is_fuzzy else "",
                    decision=decisions.get(str(number) if len(forms) > 1 else ""),
                )
            )
        return []
