"""Policies: which translations may be approved by their score, and which need a person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kiwi.constants import LANGUAGE_PAIR
from kiwi.data.labels.policy.acceptable import Acceptable
from kiwi.data.labels.policy.feedback import Counts, Feedback
from kiwi.data.labels.policy.groups import GroupPolicy, is_number
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.data.text.language_pairs import known_pairs
from kiwi.exceptions import ConfigError, DataError, MalformedError, UnfitPolicyError

FORMAT = 1
"""The version of the format of policies."""

APPROVE, REVIEW = "approve", "review"
"""The decisions."""

DECISION, REASON = "decision", "decision_reason"
"""The columns of decisions."""

AUDIT = "audit"
"""The reason of a translation that would be approved, and is reviewed because it was drawn to be."""

EVERY = ""
"""The name of the group of all segments, where a policy has no groups."""

CARRIED = "policy.json"
"""The file of the policy that a checkpoint carries."""

LARGEST_FILE = 64 * 2**20
"""The maximum size of the file of a policy, in bytes: it has a threshold per group, and a hash per audited segment."""

AGAIN = "Make the policy again with kiwi route fit."
AGAIN_FROM_NEW_DATA = "Make the policy again with new data: kiwi route fit."


class Decision(NamedTuple):
    """What is to be done with a translation."""

    decision: str
    """:data:`APPROVE` or :data:`REVIEW`."""

    reason: str


@dataclass(frozen=True)
class Policy:
    """Thresholds above which the risk of an unacceptable translation is certified."""

    model: str
    """The hash that identifies the system whose scores it is for."""

    score: ScoreMeaning
    """What the scores mean."""

    acceptable: Acceptable
    risk: float
    """The largest accepted share of approved translations that are not acceptable, in (0, 1)."""

    confidence: float
    """The probability that no group exceeds the risk, in (0, 1)."""

    groups: Mapping[str, GroupPolicy]
    """The threshold of each group; :data:`EVERY` where there are none."""

    by: str = ""
    """What the groups are, such as ``lp``; empty without groups."""

    created: str = ""
    """The date on which it was made, as in ISO 8601."""

    kiwi_version: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Further facts: the files of the calibration data, their checksums, the step of thresholds."""

    feedback: Sequence[Feedback] = ()
    """The files of feedback that were counted, in order."""

    @property
    def is_withdrawn(self) -> bool:
        """Whether no threshold is left, because of feedback."""
        groups = self.groups.values()
        return any(group.withdrawn for group in groups) and not any(group.approves for group in groups)

    @property
    def group_confidence(self) -> float:
        """The confidence of a group alone, with which that of all groups together holds (Bonferroni), in (0, 1)."""
        return 1 - (1 - self.confidence) / len(self.groups)

    def __str__(self) -> str:
        """Return what is acceptable, and which groups have a threshold, for people."""
        names = [name or "all segments" for name, group in self.groups.items() if group.approves]
        promise = f"{self.acceptable}, risk at most {self.risk:g} with probability {self.confidence:g}"
        return f"{promise}; approves in {', '.join(names)}" if names else f"{promise}; approves nothing"

    def groups_named(self, names: Sequence[str]) -> list[str]:
        """Return the group of each segment by its name; of language pairs, also in another spelling.

        Where the policy does not have a pair with its regions, such as ``en-US-de-DE``, that without them counts.

        Args:
            names: the name of the group of each segment, as a file has it.
        """
        found = [name.strip() for name in names]
        if self.by != LANGUAGE_PAIR:
            return found
        return [pair or name for pair, name in zip(known_pairs(found, self.groups), found, strict=True)]

    def counted(self, group: str) -> Counts:
        """Return what all feedback says of a group."""
        return sum((each.groups[group] for each in self.feedback if group in each.groups), Counts())

    def n_updates(self, group: str) -> int:
        """Return the number of files of feedback that had audited segments of a group."""
        return sum(each.groups[group].audited > 0 for each in self.feedback if group in each.groups)

    def decide(self, score: float, group: str = EVERY, flags: Sequence[str] = ()) -> Decision:
        """Decide about a translation.

        Args:
            score: its score, on the scale of the system; NaN needs a person.
            group: its group.
            flags: what is wrong with it whatever its score, such as ``empty``.
        """
        if flags:
            return Decision(REVIEW, f"flags: {', '.join(flags)}")
        if math.isnan(score):
            return Decision(REVIEW, "no score")
        found = self.groups.get(group)
        if found is None:
            by = self.by or "group"
            return Decision(REVIEW, f"the policy has no {by} '{group}'" if group else f"no {by} is given")
        if found.threshold is None:
            return Decision(REVIEW, f"no threshold is certified: {found.reason}")
        if found.withdrawn:
            return Decision(REVIEW, f"withdrawn: {found.withdrawn}")
        is_good = bool(self.is_good(score, found.threshold))
        return Decision(APPROVE if is_good else REVIEW, self.score_reason(found.threshold, is_good=is_good))

    def is_good(self, scores: Any, threshold: float | None) -> Any:
        """Return whether scores are at least as good as a threshold."""
        return scores >= threshold if self.score.higher_is_better else scores <= threshold

    def score_reason(self, threshold: float, *, is_good: bool) -> str:
        """Return the reason of a decision by a score.

        Args:
            threshold: the threshold of the group.
            is_good: whether the score is at least as good.
        """
        sides = {(True, True): "at least", (False, True): "below", (True, False): "at most", (False, False): "above"}
        return f"score {sides[is_good, self.score.higher_is_better]} {threshold:g}"

    def check_model(self, sha256: str, place: object) -> None:
        """Check that the policy was made for a system.

        Args:
            sha256: the hash of the system.
            place: the file of the policy, for errors.

        Raises:
            UnfitPolicyError: when it was made for another one.
        """
        if sha256 != self.model:
            raise UnfitPolicyError(
                f"{place}: found a policy for the system {self.model:.12}; this one is {sha256:.12}. Its thresholds "
                f"promise nothing for other scores. {AGAIN}"
            )

    def check_in_force(self, place: object) -> None:
        """Check that feedback has left a threshold.

        Args:
            place: the file of the policy, for errors.

        Raises:
            ConfigError: when it has withdrawn all of them.
        """
        if self.is_withdrawn:
            names = ((name, group.withdrawn) for name, group in self.groups.items() if group.withdrawn)
            reasons = "; ".join(f"{name}: {reason}" if name else reason for name, reason in names)
            raise ConfigError(f"{place}: found a policy that is withdrawn: {reasons}. {AGAIN_FROM_NEW_DATA}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "format": FORMAT,
            "kiwi_version": self.kiwi_version,
            "created": self.created,
            "model": self.model,
            "score": self.score.to_dict(),
            "acceptable": str(self.acceptable),
            "risk": self.risk,
            "confidence": self.confidence,
            "by": self.by,
            "groups": {name: asdict(group) for name, group in self.groups.items()},
            "notes": dict(self.notes),
            "feedback": [each.to_dict() for each in self.feedback],
        }

    @classmethod
    def read(cls, path: Path) -> Policy:
        """Read a policy.

        Raises:
            ConfigError: when there is no such file, or it cannot be read.
            DataError: when it is no policy, damaged, or of a later format.
        """
        from kiwi.utils.structured.reading import parse_json_document, read_file

        try:
            content = parse_json_document(read_file(path, LARGEST_FILE), path).values
        except MalformedError as error:
            raise DataError(f"{error} Expected a file of kiwi route fit. {AGAIN}") from error
        if not isinstance(content, dict) or "acceptable" not in content or not isinstance(content.get("groups"), dict):
            raise DataError.at(path, None, found="no policy", expected="a file of kiwi route fit", advice=AGAIN)
        if content.get("format") != FORMAT:
            found, expected = f"format {content.get('format')}", f"{FORMAT}, which this kiwi reads"
            raise DataError.at(path, None, found=found, expected=expected, advice=AGAIN)
        try:
            return cls._from_dict(content)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, ConfigError) as error:
            raise DataError.at(
                path, None, found=f"a damaged policy ({error})", expected="a file of kiwi route fit", advice=AGAIN
            ) from error

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Policy:
        """Invert :meth:`to_dict`; raises various errors for invalid content."""
        by, notes = content.get("by", ""), content.get("notes") or {}
        groups = {name: GroupPolicy.from_dict(group) for name, group in content["groups"].items()}
        if not isinstance(by, str) or not groups or (EVERY in groups) != (not by) or (not by and len(groups) > 1):
            raise ValueError(f"groups: found {', '.join(map(repr, groups)) or 'none'} by {by!r}")
        if not isinstance(notes, dict) or not isinstance(notes.get("sha256") or {}, dict):
            raise TypeError("notes: expected names and values")
        return cls(
            model=str(content["model"]),
            score=ScoreMeaning.from_dict(content["score"]),
            acceptable=Acceptable.parse(str(content["acceptable"]), "acceptable"),
            risk=_share(content, "risk"),
            confidence=_share(content, "confidence"),
            groups=groups,
            by=by,
            created=str(content.get("created", "")),
            kiwi_version=str(content.get("kiwi_version", "")),
            notes=notes,
            feedback=tuple(Feedback.from_dict(each) for each in content.get("feedback") or ()),
        )


def _share(content: Mapping[str, Any], name: str) -> float:
    value = content[name]
    if not is_number(value) or not 0 < value < 1:
        raise ValueError(f"{name}: {value} is not between 0 and 1")
    return float(value)
