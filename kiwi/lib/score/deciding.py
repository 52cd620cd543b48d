"""The decisions of a policy about the segments that are scored."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.documents.parts import Languages
from kiwi.data.files.lines import Columns
from kiwi.data.labels.policy import APPROVE, AUDIT, DECISION, EVERY, REASON, REVIEW, Decision, Policy
from kiwi.data.text.language_pairs import known_pair
from kiwi.exceptions import ConfigError, UnfitPolicyError
from kiwi.lib.score.inputs import GROUP
from kiwi.runner.engine import AboutSystem
from kiwi.systems.manifest.carried import read_carried_policy

LANGUAGE_PAIR = const.LANGUAGE_PAIR
"""What groups are called that are language pairs, which documents say themselves."""

CARRIED_NAME = Path("carried")
"""What stands for the policy that a system carries, where there is no such file."""

DRAWN_FROM = 2**64
"""The number of values of the hash by which segments are drawn."""


@dataclass(frozen=True)
class Audit:
    """A random sample of approved translations that are reviewed all the same, to see whether the policy holds.

    A segment is drawn by a hash of its texts, so that it is drawn or not in any batch, order and file.
    """

    share: float
    """The probability that an approved translation is drawn, in (0, 1]."""

    seed: int = 1
    """The seed of the sample."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"--audit: found {self.share:g}; expected a share above 0, up to 1, such as 0.05.")

    def takes(self, source: str, target: str) -> bool:
        """Return whether a segment is drawn."""
        content = "\0".join((str(self.seed), source, target)).encode()
        drawn = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")
        return drawn < self.share * DRAWN_FROM


@dataclass(frozen=True)
class Decider:
    """Decides about segments by their score."""

    policy: Policy
    audit: Audit | None = None
    group: str = EVERY
    """The group of segments that do not say theirs."""

    @classmethod
    def choose(cls, path: Path | None, about: AboutSystem, audit: Audit | None = None) -> Decider | None:
        """Return what decides by a policy; None without one.

        Args:
            path: the policy; ``carried`` is the one that the system carries.
            about: the system.
            audit: the sample of approved translations that are reviewed; None draws none.

        Raises:
            ConfigError: when the policy was made for another system, or feedback has withdrawn it.
            DataError: when it is damaged.
        """
        if path is None:
            if audit is not None:
                raise ConfigError("--audit: given without --policy, which approves. Remove it, or add the policy.")
            return None
        policy = cls._carried(about) if path == CARRIED_NAME and not path.exists() else Policy.read(path)
        policy.check_model(about.export_sha256 or about.sha256, path)
        policy.check_in_force(path)
        return cls(policy, audit)

    @staticmethod
    def _carried(about: AboutSystem) -> Policy:
        """Return the policy that a system carries.

        Raises:
            UnfitPolicyError: when it carries none.
        """
        policy = None if about.place is None else read_carried_policy(about.place)
        if policy is None:
            place = about.place or "the system"
            raise UnfitPolicyError(
                f"--policy {CARRIED_NAME}: {place} carries no policy. Give the file of one, or put it into a copy with "
                "kiwi publish --policy."
            )
        return policy

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of segments that decisions need, beside those that the system reads."""
        return (GROUP,) if self.policy.by else ()

    @property
    def optional(self) -> tuple[str, ...]:
        """Those of :attr:`fields` without which segments are of :attr:`group`."""
        return self.fields if self.group else ()

    @property
    def advice(self) -> dict[str, str]:
        """The next step where a table lacks the column of groups, by its name."""
        own = self.policy.by if self.policy.by != GROUP else "NAME"
        step = (
            f"The policy has a threshold for each {self.policy.by}: name its column, such as --columns {GROUP}={own}."
        )
        return {GROUP: step} if self.policy.by else {}

    def with_languages(self, languages: Sequence[str]) -> Decider:
        """Return what decides about segments whose language pair is their group, where the policy has such groups.

        Args:
            languages: the languages of source and translation; empty if they are not known.
        """
        if not languages or self.policy.by != LANGUAGE_PAIR:
            return self
        return replace(self, group=self._pair_of(*languages))

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
        if self.policy.by and needs_group and GROUP not in given and not self.group:
            alike = ", with --languages if it is the same for all" if self.policy.by == LANGUAGE_PAIR else ""
            raise ConfigError(
                f"{place}: found a policy with a threshold for each {self.policy.by}. Give that of each segment with "
                f"--group, or in a column of a table (--columns group=NAME){alike}."
            )

    def check_document(self, form: str, place: object) -> None:
        """Check that a format without columns says the groups of the policy.

        Args:
            form: the name of the format.
            place: the file of the policy, for errors.

        Raises:
            ConfigError: when it does not.
        """
        if self.policy.by not in ("", LANGUAGE_PAIR):
            raise ConfigError(
                f"{place}: found a policy with a threshold for each {self.policy.by}, which {form} does not say. Give "
                "a table with a column of groups, or a policy without groups, or with language pairs (--by lp)."
            )

    def groups_of(self, languages: Sequence[Languages]) -> dict[str, list[str]]:
        """Return the column of groups for the languages of segments; none if the policy has no language pairs.

        Where the policy does not have a pair with its regions, such as ``en-US-de-DE``, that without them counts.
        """
        if self.policy.by != LANGUAGE_PAIR:
            return {}
        return {GROUP: [self._pair_of(source or "", target or "") for source, target in languages]}

    def group_of(self, given: str | None) -> str:
        """Return the group of a segment that says its group, or None."""
        return self.group if given is None else self.policy.groups_named([given])[0]

    def _pair_of(self, source: str, target: str) -> str:
        return known_pair(source, target, self.policy.groups)

    def decide(
        self, scores: Sequence[float], columns: Columns, flags: Sequence[Sequence[str]] | None
    ) -> dict[str, list[str]]:
        """Return the columns of decisions.

        Args:
            scores: the scores of the segments, on the scale of the system.
            columns: their fields.
            flags: the flags of each, if they were looked for.
        """
        groups = self.policy.groups_named(columns.get(GROUP) or [self.group] * len(scores))
        texts = zip(columns[const.SOURCE], columns[const.TARGET], strict=True)
        found = []
        for i, (score, group, (source, target)) in enumerate(zip(scores, groups, texts, strict=True)):
            own = flags[i] if flags is not None else ()
            decision = self.policy.decide(math.nan if score is None else score, group, own)
            if decision.decision == APPROVE and self.audit is not None and self.audit.takes(source, target):
                decision = Decision(REVIEW, AUDIT)
            found.append(decision)
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
