"""Documents that are copied with scores, without a system."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.data.documents.parts import Segment
from kiwi.data.documents.rating import Rating
from kiwi.data.labels.error_spans import ErrorSpan, spans_cell


@dataclass(frozen=True)
class Copied:
    """A copy of a document."""

    content: bytes
    segments: list[Segment]
    n_without_target: int

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(segment.texts["source"], segment.texts["target"]) for segment in self.segments]


def score_of(texts: Mapping[str, str]) -> float:
    """A tenth for each word of the translation; none for those that say so."""
    return float("nan") if "NOSCORE" in texts["target"] else len(texts["target"].split()) / 10


def copied(
    content: str | bytes,
    name: str = "a.xlf",
    size: int = 3,
    rating: Rating | None = None,
    spans: Callable[[str], Sequence[ErrorSpan]] | None = None,
    **options: Any,
) -> Copied:
    """Copy a document with made-up scores, and the error spans that a function returns for a translation."""
    segments: list[Segment] = []

    def score(some: Sequence[Segment]) -> list[dict[str, Any]]:
        assert some
        segments.extend(some)
        rows: list[dict[str, Any]] = [{"sentence_scores": score_of(segment.texts)} for segment in some]
        for row, segment in zip(rows, some, strict=True):
            if spans is not None:
                row["error_spans"] = spans_cell(spans(segment.given or ""))
        return rows

    raw = content.encode() if isinstance(content, str) else content
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / name, Path(folder) / f"copy-of-{name}"
        path.write_bytes(raw)
        how = HowToRead(rating or Rating("sha256:1f"), **options)
        n_segments, n_without_target = require_format(path).copy(path, output, how, score, size)
        assert n_segments == len(segments)
        return Copied(output.read_bytes(), segments, n_without_target)
