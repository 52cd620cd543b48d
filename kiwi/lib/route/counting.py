"""Counts what a policy approved, what was audited of it, and what was not acceptable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kiwi.data.labels.policy import APPROVE, AUDIT, REVIEW, Counts, Policy, segment_key
from kiwi.data.labels.ter import hter
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.corpus.tokenizers import SAMPLE, Tokenizer, choose, looks_tokenized
from kiwi.lib.route.feedback import HTER, Routed
from kiwi.lib.route.gold import parse_gold

OTHER_POLICY = "The decisions are those of another policy, or of the same one before it was made again. Give that one."


@dataclass
class Tally:
    """What a file of feedback says of the segments that a policy approved, each text counted once.

    Args:
        policy: the policy.
        path: the file, for errors.
    """

    policy: Policy
    path: Path
    n_undecided: int = 0
    """The number of segments without a decision."""

    n_reviewed: int = 0
    """The number of segments that were reviewed because of their score, flags or group."""

    n_known: int = 0
    """The number of audited segments that were counted before."""

    without_result: Counter[str] = field(default_factory=Counter)
    """The number of drawn segments of which nothing came back, by the reason."""

    _approved: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _drawn: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _results: list[Routed] = field(default_factory=list)
    _keys: list[str] = field(default_factory=list)

    def add(self, segments: Iterable[Routed]) -> None:
        """Take segments.

        Raises:
            ConfigError: when another system scored them.
            DataError: at the first segment that another policy decided about.
        """
        known = frozenset[str]().union(*(each.segments for each in self.policy.feedback))
        for each in segments:
            if each.rated_by:
                self._check_system(each)
            if not each.decision:
                self.n_undecided += 1
                continue
            is_drawn = each.decision == REVIEW and each.reason == AUDIT
            self._check(each, is_drawn)
            if not is_drawn and each.decision == REVIEW:
                self.n_reviewed += 1
                continue
            key = segment_key(each.group, each.source, each.machine)
            if key in known:
                self.n_known += is_drawn
                continue
            self._approved[each.group].add(key)
            if is_drawn:
                self._drawn[each.group].add(key)
                self._take(each, key)

    def _take(self, each: Routed, key: str) -> None:
        if each.missing:
            self.without_result[each.missing] += 1
        else:
            self._results.append(each)
            self._keys.append(key)

    @property
    def n_decided(self) -> int:
        """The number of segments with a decision, each approved text counted once."""
        return self.n_reviewed + self.n_known + sum(map(len, self._approved.values()))

    @property
    def n_drawn(self) -> int:
        """The number of segments that were drawn for audit and were not counted before."""
        return sum(map(len, self._drawn.values()))

    @property
    def results(self) -> Sequence[Routed]:
        """The audited segments that came back."""
        return self._results

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the audited segments that came back."""
        return frozenset(self._keys)

    def counts(self, gold: Sequence[float]) -> dict[str, Counts]:
        """Return what was counted of each group. A text that came back twice is an error if one of the two is.

        Args:
            gold: the gold value of each segment of :attr:`results`.
        """
        good = self.policy.acceptable.judge(np.array(gold, dtype=np.float64))
        audited: defaultdict[str, set[str]] = defaultdict(set)
        errors: defaultdict[str, set[str]] = defaultdict(set)
        for each, key, is_good in zip(self._results, self._keys, good.tolist(), strict=True):
            audited[each.group].add(key)
            if not is_good:
                errors[each.group].add(key)
        return {
            name: Counts(len(approved), len(self._drawn[name]), len(audited[name]), len(errors[name]))
            for name, approved in sorted(self._approved.items())
        }

    def _check_system(self, each: Routed) -> None:
        if each.rated_by not in (self.policy.model, self.policy.notes.get("checkpoint")):
            raise ConfigError(
                f"{self.path}: found scores of the system {each.rated_by:.12}; expected those of "
                f"{self.policy.model:.12}, which the policy is for. Give the policy that decided."
            )

    def _check(self, each: Routed, is_drawn: bool) -> None:
        """Check that a decision is one of the policy."""
        if each.decision not in (APPROVE, REVIEW):
            found, expected = f"the decision '{each.decision:.40}'", f"{APPROVE} or {REVIEW}"
            raise DataError.at(self.path, each.line, found=found, expected=expected)
        group = self.policy.groups.get(each.group)
        was_approved = is_drawn or each.decision == APPROVE
        if was_approved and (group is None or group.threshold is None):
            of_group = f" in {self.policy.by or 'group'} '{each.group}'" if self.policy.by else ""
            found = f"a translation{of_group} that was approved"
            expected = "none, since the policy has no threshold for it"
            raise DataError.at(self.path, each.line, found=found, expected=expected, advice=OTHER_POLICY)
        if group is None or group.threshold is None or is_drawn or not each.reason.startswith("score "):
            return
        expected = self.policy.score_reason(group.threshold, is_good=was_approved)
        if each.reason != expected:
            raise DataError.at(
                self.path, each.line, found=f"'{each.reason:.60}'", expected=f"'{expected}'", advice=OTHER_POLICY
            )


def gold_values(tally: Tally, tokenizer: str) -> list[float]:
    """Return the gold value of each audited segment: its judgement, or the HTER of its final translation.

    Args:
        tally: the segments.
        tokenizer: the tokenizer of translations, or ``auto``.

    Raises:
        ConfigError: when the language is needed and not known.
        DataError: when a judgement is none.
    """
    segments, path = tally.results, tally.path
    if tally.policy.acceptable.measure != HTER or any(each.gold for each in segments):
        cells, numbers = [each.gold for each in segments], [each.line for each in segments]
        return parse_gold(cells, numbers, tally.policy.acceptable, path)
    by_language: defaultdict[str, list[Routed]] = defaultdict(list)
    for each in segments:
        by_language[each.language].append(each)
    split = {
        language: _tokenizer(tokenizer, language, own, path).load() for language, own in sorted(by_language.items())
    }
    return [hter(split[each.language](each.machine), split[each.language](each.final)) for each in segments]


def _tokenizer(given: str, language: str, segments: Sequence[Routed], path: Path) -> Tokenizer:
    samples = [[each.machine for each in segments[:SAMPLE]], [each.final for each in segments[:SAMPLE]]]
    by_language = given == "moses" or (given == "auto" and not all(looks_tokenized(texts)[0] for texts in samples))
    if by_language and not language:
        raise ConfigError(
            f"{path}: the language of the translations is not known, which tells how they are split into words. Add "
            "--languages SOURCE,TARGET; if words are separated by spaces already, --tokenizer none."
        )
    return choose(given, language or None, "target", samples)
