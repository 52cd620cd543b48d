"""The risk of approving translations by their score: thresholds, their certificates, and what audits find."""

from __future__ import annotations

from kiwi.metrics.risk.audits import CERTIFIED, UNDECIDED, WITHDRAWN, Verdict, judge_audit
from kiwi.metrics.risk.binomial import binomial_cdf, least_approved, lower_bound, most_errors, upper_bound
from kiwi.metrics.risk.thresholds import (
    Certified,
    RiskCurve,
    caught_errors,
    certify,
    risk_curve,
    score_grid,
    start_counts,
)

__all__ = [
    "CERTIFIED",
    "UNDECIDED",
    "WITHDRAWN",
    "Certified",
    "RiskCurve",
    "Verdict",
    "binomial_cdf",
    "caught_errors",
    "certify",
    "judge_audit",
    "least_approved",
    "lower_bound",
    "most_errors",
    "risk_curve",
    "score_grid",
    "start_counts",
    "upper_bound",
]
