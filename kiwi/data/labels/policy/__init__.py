"""Policies: which translations may be approved by their score, which need a person, and what people made of them."""

from __future__ import annotations

from kiwi.data.labels.policy.acceptable import MEASURES, Acceptable
from kiwi.data.labels.policy.feedback import Counts, Feedback, segment_key
from kiwi.data.labels.policy.groups import GroupPolicy
from kiwi.data.labels.policy.thresholds import (
    APPROVE,
    AUDIT,
    CARRIED,
    DECISION,
    EVERY,
    FORMAT,
    REASON,
    REVIEW,
    Decision,
    Policy,
)

__all__ = [
    "APPROVE",
    "AUDIT",
    "CARRIED",
    "DECISION",
    "EVERY",
    "FORMAT",
    "MEASURES",
    "REASON",
    "REVIEW",
    "Acceptable",
    "Counts",
    "Decision",
    "Feedback",
    "GroupPolicy",
    "Policy",
    "segment_key",
]
