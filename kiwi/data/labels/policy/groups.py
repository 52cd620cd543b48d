"""The threshold of a group of segments, and what is known of its risk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GroupPolicy:
    """The threshold of a group of segments, and what is known of its risk."""

    threshold: float | None
    """The score from which translations are approved; None if all of them need a person."""

    reason: str = ""
    """The reason why there is no threshold."""

    segments: int = 0
    """The number of segments of the calibration data."""

    approved: int = 0
    """The number of them that the threshold approves."""

    errors: int = 0
    """The number of approved ones that were not acceptable."""

    risk_bound: float = 1.0
    """The upper bound of the risk at the confidence of the group, in [0, 1]."""

    withdrawn: str = ""
    """The reason why the threshold does not approve any more; empty as long as it does."""

    @property
    def approves(self) -> bool:
        """Whether there is a threshold that approves translations."""
        return self.threshold is not None and not self.withdrawn

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> GroupPolicy:
        """Return what a file says of a group; raises a TypeError or a ValueError for invalid content."""
        found = cls(**content)
        if found.threshold is not None and not is_number(found.threshold):
            raise ValueError(f"threshold: {found.threshold!r} is not a finite number")
        counts = found.errors, found.approved, found.segments
        if any(type(count) is not int for count in counts) or not 0 <= counts[0] <= counts[1] <= counts[2]:
            raise ValueError(f"the counts {counts} of errors, approved and segments contradict each other")
        if not is_number(found.risk_bound) or not 0 <= found.risk_bound <= 1:
            raise ValueError(f"risk_bound: {found.risk_bound!r} is not between 0 and 1")
        if not isinstance(found.reason, str) or not isinstance(found.withdrawn, str):
            raise TypeError("reason and withdrawn: expected text")
        return found


def is_number(value: Any) -> bool:
    """Return whether a value of JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
