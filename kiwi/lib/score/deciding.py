"""The decisions of a policy about the segments that are scored."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.labels.policy import EVERY, Policy
from kiwi.exceptions import ConfigError
from kiwi.lib.score.inputs import GROUP
from kiwi.runner.engine import AboutSystem

DECISION, REASON = "decision", "decision_reason"
"""The columns that a policy adds."""


@dataclass(frozen=True)
class Decider:
    """Decides about segments by their score."""

    policy: Policy

    @classmethod
    def choose(cls, path: Path | None, about: AboutSystem) -> Decider | None:
        """Return what decides by a policy; None without one.

        Args:
            path: the policy.
            about: the system.

        Raises:
            ConfigError: when the policy was made for another system.
            DataError: when it is damaged.
        """
        if path is None:
            return None
        policy = Policy.read(path)
        policy.check_model(about.export_sha256 or about.sha256, path)
        return cls(policy)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of segments that decisions need, beside those that the system reads."""
        return (GROUP,) if self.policy.by else ()

    def check_given(self, given: Collection[str], place: object, *, needs_group: bool = False) -> None:
        """Check that groups are given where the policy has some, and only there.

        Args:
            given: the fields whose files or columns are named.
            place: the file of the policy, for errors.
            needs_group: whether there are no groups where none are named.

        Raises:
            ConfigError: when they are missing, or the policy has none.
        """
        if not self.policy.by and GROUP in given:
            raise ConfigError(
                f"{place}: found a policy with one threshold for all segments, but groups are given. Remove them, or "
                "make a policy with kiwi route fit --by."
            )
        if self.policy.by and needs_group and GROUP not in given:
            raise ConfigError(
                f"{place}: found a policy with a threshold for each {self.policy.by}. Give that of each segment with "
                "--group, or in a column of a table (--columns group=NAME)."
            )

    def decide(
        self, scores: Sequence[float], columns: Columns, flags: Sequence[Sequence[str]] | None
    ) -> dict[str, list[str]]:
        """Return the columns of decisions.

        Args:
            scores: the scores of the segments, on the scale of the system.
            columns: their fields.
            flags: the flags of each, if they were looked for.
        """
        groups = columns.get(GROUP) or [EVERY] * len(scores)
        found = [
            self.policy.decide(math.nan if score is None else score, group, flags[i] if flags is not None else ())
            for i, (score, group) in enumerate(zip(scores, groups, strict=True))
        ]
        return {DECISION: [each.decision for each in found], REASON: [each.reason for each in found]}


def without_group(columns: Columns) -> Columns:
    """Return the columns that a system reads."""
    return {name: column for name, column in columns.items() if name != GROUP}


def add_decisions(
    decider: Decider | None, predicted: Mapping[str, list[Any]], columns: Columns, flags: list[list[str]] | None
) -> dict[str, list[Any]]:
    """Return the columns of decisions; none without a policy.

    Args:
        decider: what decides; None if nothing does.
        predicted: the predictions of the system, on its own scale.
        columns: the fields of the segments.
        flags: the flags of each segment, if they were looked for.
    """
    return {} if decider is None else dict(decider.decide(predicted[const.SENTENCE_SCORES], columns, flags))
