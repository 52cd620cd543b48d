"""How documents carry a score: as which text, on which scale, and from which value on it is good enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kiwi import constants as const
from kiwi.data.documents.parts import Row
from kiwi.data.labels.policy import DECISION, REVIEW
from kiwi.outputs import OUTPUTS

OWN_SCALE = "urn:x-kiwi:scale:system"
"""The profile of scores on the system's own scale, which is that of its training data."""

COMMON_SCALE = "urn:x-kiwi:scale:0-100"
"""The profile of scores from 0 (worst) to 100 (best)."""

ANNOTATOR = "urn:x-kiwi:system:"
"""What precedes the fingerprint of a system in the IRI that identifies it."""

INTERVALS = "urn:x-kiwi:intervals"
"""The namespace of the attributes for the intervals of scores, for which ITS has none."""

_, _, LOW, HIGH = OUTPUTS[const.SENTENCE_SCORES].columns
"""The columns of the ends of intervals."""


@dataclass(frozen=True)
class Rating:
    """The form of scores in documents."""

    system: str = ""
    """The fingerprint of the system."""

    threshold: float | None = None
    """The score that divides good translations from those to review."""

    higher_is_better: bool = True
    """Whether a higher score is better, which the threshold depends on."""

    set_state: bool = False
    """Whether translations that are worse than the threshold, or not approved by a policy, are marked for review."""

    has_spans: bool = False
    """Whether the system predicts error spans."""

    has_intervals: bool = False
    """Whether scores have intervals, which those of a calibrated system have."""

    profile: str = OWN_SCALE
    """The IRI of the scale."""

    @property
    def annotator(self) -> str:
        """The IRI of the system."""
        return ANNOTATOR + self.system

    def text(self, row: Row) -> str | None:
        """Return the score of a segment as text; None if it has none."""
        score = row.get(const.SENTENCE_SCORES)
        return None if score is None or math.isnan(score) else number(score)

    def interval(self, row: Row) -> tuple[str, str] | None:
        """Return the lower and the upper end of the interval of a segment's score as text; None if it has none."""
        low, high = row.get(LOW), row.get(HIGH)
        if low is None or high is None or math.isnan(low) or math.isnan(high):
            return None
        return number(low), number(high)

    def is_marked(self, row: Row) -> bool:
        """Return whether a segment is to be marked for review."""
        if not self.set_state:
            return False
        if DECISION in row:
            return bool(row[DECISION] == REVIEW)
        score = row.get(const.SENTENCE_SCORES)
        if self.threshold is None or score is None or math.isnan(score):
            return False
        return bool(score < self.threshold if self.higher_is_better else score > self.threshold)


def number(value: float) -> str:
    """Return a number in decimals, without an exponent, which the schemas of XML do not allow."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
