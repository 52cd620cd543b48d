"""Scores as the translation quality estimates (TQE) of Trados Studio, in SDLXLIFF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from kiwi.data.documents.marks.its import in_order
from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row
from kiwi.data.documents.rating import COMMON_SCALE

SYSTEM = "kiwi"
"""What the estimates name as the system that has made them, by which they are found again."""

KEYS = ("tqe-evaluated-at", "tqe-system", "tqe-score", "tqe-model")
"""The keys of an estimate, each of which ends with its number: ``tqe-score-1``."""


@dataclass
class _Seg:
    """A ``sdl:seg``: what Trados knows of a segment."""

    start: int
    end: int = 0
    """The offset of its end tag, or behind it if it is empty."""

    last: int = 0
    """The offset of the start tag of its last element."""

    values: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    """The offsets around each value that it has, by key, and the value."""


class TradosEstimates:
    """Writes the scores of segments into the fields that Trados Studio has for estimates.

    Args:
        document: the document.
    """

    def __init__(self, document: MarkupDocument) -> None:
        self._document = document
        self._segs: dict[str, _Seg] = {}
        self._seg: _Seg | None = None
        self._key = ""
        self._now = datetime.now(UTC).strftime("%m/%d/%Y %H:%M:%S")

    def start(self, name: str, parent: str, attributes: Mapping[str, str]) -> None:
        """Take a start tag; see :class:`kiwi.data.documents.parts.Marks`."""
        at = self._document.at
        if name == "trans-unit":
            self._segs = {}
        elif name == "seg" and parent == "seg-defs":
            self._seg = self._segs[attributes.get("id", "")] = _Seg(at)
        elif parent == "seg" and self._seg is not None:
            self._seg.last = at
            self._key = attributes.get("key", "")

    def end(self, name: str, parent: str) -> None:
        """Take an end tag."""
        if self._seg is None:
            return
        if parent == "seg":
            start = self._document.tag(self._seg.last).end
            if self._key.startswith("tqe-") and start <= self._document.at:
                self._seg.values[self._key] = (start, self._document.at, self._document.text_between(start))
        elif name == "seg":
            self._seg.end, self._seg = self._document.at, None

    def complete(self, part: Part) -> Part:
        """Return a part with the estimates of its segments, on the scale from 0 to 100 that they have."""
        if not self._segs or self._document.rating.profile != COMMON_SCALE:
            return part
        pairs = [(index, self._segs.get(each.name)) for index, each in enumerate(part.segments) if each.name]

        def edits(rows: Sequence[Row]) -> list[Edit]:
            found = list(part.edits(rows))
            for index, seg in pairs:
                if seg is not None and (score := self._document.rating.text(rows[index])) is not None:
                    found += self._estimate(seg, score)
            return in_order(found)

        return replace(part, edits=edits)

    def _estimate(self, seg: _Seg, score: str) -> list[Edit]:
        numbers = [key.rpartition("-")[2] for key in seg.values if key.startswith("tqe-system-")]
        own = [number for number in numbers if seg.values[f"tqe-system-{number}"][2] == SYSTEM]
        number = own[0] if own else str(max((int(each) for each in numbers if each.isdecimal()), default=0) + 1)
        fingerprint = self._document.rating.system.removeprefix("sha256:")[:12]
        texts = dict(zip(KEYS, (self._now, SYSTEM, str(round(float(score))), fingerprint), strict=True))
        keyed = {f"{key}-{number}": text for key, text in texts.items()}
        codec = self._document.codec
        found = [Edit(*seg.values[key][:2], text.encode(codec)) for key, text in keyed.items() if key in seg.values]
        tag = self._document.tag(seg.start)
        space = self._document.space_before(seg.last) if seg.last else ""
        added = "".join(
            f'{space}<{tag.prefix}value key="{key}">{text}</{tag.prefix}value>'
            for key, text in keyed.items()
            if key not in seg.values
        )
        if not added:
            return found
        if not tag.is_empty:
            place = seg.end - len(self._document.space_before(seg.end).encode(codec))
            return [*found, Edit(place, place, added.encode(codec))]
        start = tag.end - len("/>".encode(codec))
        return [*found, Edit(start, tag.end, f">{added}</{tag.name}>".encode(codec))]
