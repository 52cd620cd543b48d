"""What people found about the translations that a policy had approved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Counts:
    """The translations of a group that a policy approved, each text counted once."""

    approved: int = 0
    """The number of translations that the threshold approves, those that were drawn for audit included."""

    drawn: int = 0
    """The number of them that were drawn for audit."""

    audited: int = 0
    """The number of drawn ones whose final translation or judgement came back."""

    errors: int = 0
    """The number of audited ones that were not acceptable."""

    def __post_init__(self) -> None:
        counts = (self.errors, self.audited, self.drawn, self.approved)
        if any(type(count) is not int for count in counts) or not 0 <= counts[0] <= counts[1] <= counts[2] <= counts[3]:
            raise ValueError(f"the counts {asdict(self)} contradict each other")

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.approved + other.approved,
            self.drawn + other.drawn,
            self.audited + other.audited,
            self.errors + other.errors,
        )


@dataclass(frozen=True)
class Feedback:
    """A file of feedback that was counted."""

    date: str
    """The date on which it was counted, as in ISO 8601."""

    file: str
    """The name of the file."""

    sha256: str
    """The SHA-256 of the file."""

    groups: Mapping[str, Counts] = field(default_factory=dict)
    """What was counted of each group."""

    outcomes: Mapping[str, str] = field(default_factory=dict)
    """What it meant for the threshold of each group, together with the feedback before."""

    segments: frozenset[str] = frozenset()
    """The keys of the audited segments (:func:`segment_key`), which are not counted again."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "date": self.date,
            "file": self.file,
            "sha256": self.sha256,
            "groups": {name: asdict(counts) for name, counts in self.groups.items()},
            "outcomes": dict(self.outcomes),
            "segments": " ".join(sorted(self.segments)),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Feedback:
        """Invert :meth:`to_dict`; raises various errors for invalid content."""
        return cls(
            date=str(content["date"]),
            file=str(content["file"]),
            sha256=str(content["sha256"]),
            groups={str(name): Counts(**counts) for name, counts in content["groups"].items()},
            outcomes={str(name): str(outcome) for name, outcome in content["outcomes"].items()},
            segments=frozenset(str(content["segments"]).split()),
        )


def segment_key(group: str, source: str, target: str) -> str:
    """Return a short hash that identifies a translation within a group."""
    content = "\0".join((group, source, target)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=8).hexdigest()
