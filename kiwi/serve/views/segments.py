"""The segments of a scored file, in a small database, so that they can be looked at by score."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from kiwi import constants as const
from kiwi.data.documents.parts import Segment
from kiwi.data.flags import COLUMN
from kiwi.data.labels.policy import DECISION, REASON
from kiwi.data.labels.spans.options import PENALTY
from kiwi.exceptions import DataError
from kiwi.lib.score.scale import Scale
from kiwi.outputs import MQM_SCORE, OUTPUTS
from kiwi.serve.schemas import SegmentIn

SCHEMA = """
CREATE TABLE segment (
  number INTEGER PRIMARY KEY, score REAL, low REAL, high REAL, flags TEXT, decision TEXT, reason TEXT, pair TEXT,
  texts TEXT
);
CREATE TABLE scale (described TEXT);
"""

FIELDS = SegmentIn.model_fields.keys() - {"id", "group"}
"""The texts of a segment that are kept."""

*_, LOW, HIGH = OUTPUTS[const.SENTENCE_SCORES].columns

Order = Literal["file", "lowest", "highest"]
"""The order of segments: that of the file, or by score."""

ORDERS: Mapping[Order, str] = {
    "file": "number",
    "lowest": "score ASC NULLS LAST, number",
    "highest": "score DESC NULLS LAST, number",
}


@contextmanager
def _checking_room() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DataError("The server has no room for the segments of the file. Try later.") from error


class SegmentWriter:
    """Writes segments and their scores.

    Args:
        path: the file to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._n = 0

    def __enter__(self) -> SegmentWriter:
        with _checking_room():
            self._database = sqlite3.connect(self._path)
            # A file that is lost with its process need not survive it.
            self._database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {SCHEMA}")
        return self

    def add(
        self,
        segments: Sequence[Segment],
        pairs: Sequence[str] | None,
        found: Mapping[str, Sequence[Any]],
        scale: Scale,
    ) -> None:
        """Add segments.

        Args:
            segments: the segments.
            pairs: the language pair of each, as its estimates were made for; None if they were made for none.
            found: the columns of their estimates.
            scale: the scale of their scores.

        Raises:
            DataError: when there is no room.
        """
        score_column = const.SENTENCE_SCORES if const.SENTENCE_SCORES in found else MQM_SCORE
        empty = [None] * len(segments)
        columns = [found.get(name, empty) for name in (score_column, LOW, HIGH, COLUMN, DECISION, REASON)]
        rows = [
            (
                number,
                *(None if value is None or math.isnan(value) else value for value in (score, low, high)),
                None if flags is None else " ".join(flags),
                decision,
                reason,
                pair,
                json.dumps({name: text for name, text in segment.texts.items() if name in FIELDS}),
            )
            for number, (segment, pair, score, low, high, flags, decision, reason) in enumerate(
                zip(segments, pairs or empty, *columns, strict=True), start=self._n + 1
            )
        ]
        with _checking_room():
            if not self._n:
                scale = scale if const.SENTENCE_SCORES in found else Scale(PENALTY)
                self._database.execute("INSERT INTO scale VALUES (?)", [json.dumps(scale.describe())])
            self._database.executemany("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._n += len(segments)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with closing(self._database), _checking_room():
            if kind is None:
                self._database.execute("CREATE INDEX by_score ON segment (score, number)")
                self._database.commit()


@dataclass(frozen=True)
class Wanted:
    """The segments of a file that are asked for."""

    order: Order = "file"
    low: float | None = None
    """The lowest score."""

    high: float | None = None
    """The highest score."""

    decision: str | None = None
    """The decision of the policy."""

    flagged: bool = False
    """Whether only segments with flags are wanted."""

    offset: int = 0
    """The number of segments that are passed over."""

    limit: int = 20
    """The maximum number of segments."""

    def condition(self) -> tuple[str, list[Any]]:
        """Return the condition in SQL, and its values."""
        parts: dict[str, Any] = {"score >= ?": self.low, "score <= ?": self.high, "decision = ?": self.decision}
        given = {part: value for part, value in parts.items() if value is not None}
        return " AND ".join(["1", *given, *(["flags <> ''"] if self.flagged else [])]), list(given.values())


@dataclass(frozen=True)
class StoredSegment:
    """A segment with its score."""

    number: int
    score: float | None
    interval: tuple[float, float] | None
    flags: list[str] | None
    decision: str | None
    reason: str | None
    pair: str | None
    """The language pair that it was estimated for; None without one."""

    texts: dict[str, str]

    def describe(self) -> dict[str, Any]:
        """Return the estimates, as ``POST /v1/score`` answers them."""
        found: dict[str, Any] = {"id": self.number, "score": self.score}
        if self.interval is not None:
            found["interval"] = self.interval
        if self.flags is not None:
            found["flags"] = self.flags
        if self.decision is not None:
            found |= {"decision": self.decision, "decision_reason": self.reason}
        return found


@dataclass(frozen=True)
class FoundSegments:
    """The segments of a file that were asked for."""

    total: int
    """The number of segments that meet the condition."""

    scale: dict[str, Any]
    """What their scores mean."""

    segments: list[StoredSegment]


def read_segments(path: Path, wanted: Wanted) -> FoundSegments:
    """Return segments of a scored file.

    Args:
        path: what a :class:`SegmentWriter` has written.
        wanted: which segments.
    """
    condition, values = wanted.condition()
    with closing(_connect(path)) as database:
        (total,) = database.execute(f"SELECT count(*) FROM segment WHERE {condition}", values).fetchone()
        (scale,) = database.execute("SELECT described FROM scale").fetchone()
        query = f"SELECT * FROM segment WHERE {condition} ORDER BY {ORDERS[wanted.order]} LIMIT ? OFFSET ?"
        rows = database.execute(query, [*values, wanted.limit, wanted.offset]).fetchall()
    segments = [
        StoredSegment(
            number,
            score,
            None if low is None else (low, high),
            None if flags is None else flags.split(),
            decision,
            reason,
            pair,
            dict(json.loads(texts)),
        )
        for number, score, low, high, flags, decision, reason, pair, texts in rows
    ]
    return FoundSegments(total, json.loads(scale), segments)


@dataclass(frozen=True)
class Summary:
    """What is known of all segments of a file."""

    scale: dict[str, Any]
    """What the scores mean."""

    segments: int
    mean: float | None
    """The mean score."""

    flagged: int
    """The number of segments with flags."""

    decided: int
    """The number of segments with a decision."""

    approved: int
    """The number of segments that the policy approves."""

    counts: list[int]
    """The number of segments in each part of the range of scores, from the lowest; empty without a range."""


def summarize(path: Path, n_bins: int) -> Summary:
    """Return a summary of a scored file.

    Args:
        path: what a :class:`SegmentWriter` has written.
        n_bins: the number of parts of the range.
    """
    with closing(_connect(path)) as database:
        segments, mean, flagged, decided, approved = database.execute(
            "SELECT count(*), avg(score), total(flags <> ''), count(decision), total(decision = 'approve') FROM segment"
        ).fetchone()
        scale = json.loads(database.execute("SELECT described FROM scale").fetchone()[0])
        counts: list[int] = []
        if limits := scale["range"]:
            low, high = limits
            query = "SELECT max(0, min(?1 - 1, CAST((score - ?2) / (?3 - ?2) * ?1 AS INT))), count(*) FROM segment"
            found = dict(database.execute(f"{query} WHERE score IS NOT NULL GROUP BY 1", [n_bins, low, high]))
            counts = [found.get(index, 0) for index in range(n_bins)]
    return Summary(scale, segments, mean, int(flagged), decided, int(approved), counts)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
