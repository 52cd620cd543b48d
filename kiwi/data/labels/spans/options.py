"""The options of error spans, and the scores that follow from spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from kiwi.data.labels.error_spans import MQM_WEIGHTS, SEVERITIES, ErrorSpan, mqm_score
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.utils.io import BaseConfig, Weight

Severity = Literal["minor", "major", "critical"]

SpanLabel = Literal["OK", "minor", "major", "critical"]

PENALTY = ScoreMeaning("mqm", higher_is_better=False, range=(0.0, 25.0))
"""What the penalty of MQM means on the common scale of scores."""


class SpanWeightsConfig(BaseConfig):
    """The weight of each label in the loss; labels that are not given have weight 1."""

    spans: dict[SpanLabel, Weight] = Field(default={"minor": 3.0, "major": 3.0, "critical": 3.0})
    """The weights of the labels of the pieces of the translation."""

    omissions: dict[SpanLabel, Weight] = Field(default={"minor": 3.0, "major": 3.0, "critical": 3.0})
    """The weights of the labels of the gaps between them."""


class SpanLevelConfig(BaseConfig):
    """The error spans to predict: where an error is, and how severe."""

    severities: list[Severity] = Field(default=["minor", "major", "critical"], min_length=1)
    """The severities to tell apart. An error of another severity counts as the next less severe one of these. Those
    that the training data does not have are neither trained nor predicted."""

    class_weights: SpanWeightsConfig = SpanWeightsConfig()
    """The weights of the labels in the loss."""

    loss_weight: Weight = 1.0
    """The weight of the loss of spans; losses of words have weight 1."""

    score_weight: Annotated[float, Field(allow_inf_nan=False, exclude_if=lambda weight: weight == 0.0)] = 0.0
    """By how much each unit of the regressed score raises the log-odds that a piece is OK, so that good translations
    have fewer spans than bad ones; needs ``sentence_level.hter``. ``kiwi thresholds`` chooses it."""

    mqm_weights: dict[Severity, Weight] = Field(default={"minor": 1.0, "major": 5.0, "critical": 10.0})
    """The points of penalty of each severity, of which ``mqm_score`` is the sum."""

    combined_from: Annotated[Literal["spans", "probabilities"], Field(exclude_if=lambda source: source == "spans")] = (
        "spans"
    )
    """The penalty in ``combined_score``: that of the predicted ``spans``, which is ``mqm_score``, or the one that is
    expected under the ``probabilities`` of all labels, which also tells translations without spans apart."""

    combined_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.22
    """The share of the penalty in ``combined_score``, the rest of which is the regressed score (Guerreiro et al.
    2024, arXiv 2310.10482)."""

    @field_validator("severities")
    @classmethod
    def sort_severities(cls, severities: list[Severity]) -> list[Severity]:
        """Reject repeated severities, and sort them, the least severe first."""
        if len(set(severities)) < len(severities):
            raise ValueError(f"found {', '.join(severities)}; expected each severity once")
        return sorted(severities, key=SEVERITIES.index)

    @field_validator("mqm_weights")
    @classmethod
    def complete_weights(cls, weights: dict[Severity, float]) -> dict[Severity, float]:
        """Add the default weight of each severity that is not given."""
        return {**MQM_WEIGHTS, **weights}  # type: ignore[dict-item]

    @property
    def points(self) -> dict[str, float]:
        """The points of penalty of each severity."""
        return {str(severity): weight for severity, weight in self.mqm_weights.items()}

    def penalty(self, spans: Sequence[ErrorSpan]) -> float:
        """Return the penalty of the spans of a translation, where lower is better."""
        return mqm_score(spans, self.points)

    def combine(self, penalties: Sequence[float], scores: Sequence[float], meaning: ScoreMeaning) -> list[float]:
        """Return the weighted means of penalties and regressed scores on the common scale, 0 (worst) to 100 (best).

        Args:
            penalties: the penalty of each segment.
            scores: the regressed score of each segment.
            meaning: what the regressed scores mean.
        """
        share = self.combined_share
        combined: NDArray[np.float64] = share * PENALTY.to_quality(penalties) + (1 - share) * meaning.to_quality(scores)
        found: list[float] = combined.tolist()
        return found
