"""Count what people made of routed segments, and certify a policy again or withdraw it: ``kiwi route update``."""

from __future__ import annotations

import datetime
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kiwi.data.labels.policy import Counts, Feedback, GroupPolicy, Policy
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.route.counting import Tally, gold_values
from kiwi.lib.route.feedback import FeedbackInput, read_feedback
from kiwi.metrics.risk import UNDECIDED, WITHDRAWN, Verdict, judge_audit
from kiwi.systems.manifest.carried import check_not_carried
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import write_json
from kiwi.utils.staging import staged

logger = logging.getLogger(__name__)

HEADER = ["group", "approved", "drawn", "audited", "errors", "risk", "interval", "outcome"]

ONCE = "The file is counted already."


@dataclass(frozen=True)
class UpdateInfo:
    """A policy that feedback was added to."""

    path: Path
    policy: Policy
    verdicts: Mapping[str, Verdict]
    """What all feedback says of each group that this one was about."""

    tally: Tally
    """What this feedback had."""

    def rows(self) -> list[list[str]]:
        """Return a row for each group, with the columns of :data:`HEADER`, of all feedback together."""
        found = []
        for name, group in self.policy.groups.items():
            counts, verdict = self.policy.counted(name), self.verdicts.get(name)
            share = f" ({counts.drawn / counts.approved:.1%})" if counts.approved else ""
            row = [name or "all", f"{counts.approved:,}", f"{counts.drawn:,}{share}", f"{counts.audited:,}"]
            if verdict is None:
                found.append([*row, f"{counts.errors:,}", "", "", _without_news(group, counts)])
                continue
            interval = f"{verdict.lower:.4f} to {verdict.upper:.4f}"
            found.append([*row, f"{counts.errors:,}", f"{verdict.risk:.4f}", interval, _said(group, verdict)])
        return found


def _without_news(group: GroupPolicy, counts: Counts) -> str:
    if group.threshold is None:
        return "no threshold"
    if group.withdrawn:
        return WITHDRAWN
    return "nothing new" if counts.audited else "not audited"


def _said(group: GroupPolicy, verdict: Verdict) -> str:
    if group.withdrawn:
        return WITHDRAWN
    if verdict.outcome != UNDECIDED:
        return verdict.outcome
    return f"undecided; certified with {verdict.needed:,} more without an error"


def update_policy(
    policy_file: str | Path,
    feedback: FeedbackInput,
    *,
    output: str | Path | None = None,
    tokenizer: str = "auto",
    overwrite: bool = False,
) -> UpdateInfo:
    """Count the feedback about segments that a policy approved, and write the policy with what follows for it.

    A threshold whose audited risk is certainly too high is withdrawn; it approves nothing from then on.

    Args:
        policy_file: the policy.
        feedback: the feedback.
        output: the file to write; by default, the policy itself.
        tokenizer: the tokenizer of translations for their HTER, or ``auto``.
        overwrite: whether ``output`` may replace a file that kiwi has not written, or a policy with other feedback.

    Raises:
        ConfigError: when options do not fit, the feedback is of another system, a system carries the file to write, or
            other feedback would be lost.
        DataError: when the feedback cannot be read, was counted before, or nothing in it was audited.
    """
    policy_file = Path(policy_file)
    written = policy_file if output is None else Path(output)
    feedback.check()
    reads = [feedback.path, *([] if feedback.target is None else [feedback.target])]
    check_not_carried(written)
    Guard(reads, overwrite, "--overwrite").check([written], is_own=output is None)
    policy = Policy.read(policy_file)
    digest = _check_new(policy, feedback)
    tally = Tally(policy, feedback.path)
    tally.add(read_feedback(feedback, policy))
    _check_audited(tally)
    gold = gold_values(tally, tokenizer)
    updated, verdicts = _updated(policy, tally, tally.counts(gold), digest)
    if not overwrite:
        _check_kept(written, updated)
    _warn(tally)
    with staged(written) as stage:
        write_json(stage, updated.to_dict())
    record_written(written)
    return UpdateInfo(written, updated, verdicts, tally)


def _updated(
    policy: Policy, tally: Tally, counts: Mapping[str, Counts], digest: str
) -> tuple[Policy, dict[str, Verdict]]:
    """Return the policy with feedback, and what all feedback says of the groups that this one is about."""
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    entry = Feedback(date, tally.path.name, digest, counts, segments=tally.keys)
    updated = replace(policy, feedback=(*policy.feedback, entry))
    verdicts = {}
    groups = dict(policy.groups)
    for name in [name for name, own in counts.items() if own.audited]:
        total = updated.counted(name)
        found = judge_audit(
            total.errors,
            total.audited,
            risk=policy.risk,
            confidence=policy.group_confidence,
            look=updated.n_updates(name),
        )
        verdicts[name] = found
        if found.outcome == WITHDRAWN and not groups[name].withdrawn:
            reason = (
                f"{total.errors:,} of {total.audited:,} audited segments were not acceptable, which is a risk of at "
                f"least {found.lower:.4f} ({date})"
            )
            groups[name] = replace(groups[name], withdrawn=reason)
    outcomes = {name: WITHDRAWN if groups[name].withdrawn else each.outcome for name, each in verdicts.items()}
    entry = replace(entry, outcomes=outcomes)
    return replace(updated, groups=groups, feedback=(*policy.feedback, entry)), verdicts


def _check_kept(output: Path, updated: Policy) -> None:
    """Check that a policy has all feedback of the one that it would replace.

    Raises:
        ConfigError: when it has not.
    """
    try:
        former = Policy.read(output)
    except (ConfigError, DataError):  # no policy: the guard has decided whether it may be replaced
        return
    if lost := {each.sha256 for each in former.feedback} - {each.sha256 for each in updated.feedback}:
        n_files = f"{len(lost)} file{'s' if len(lost) > 1 else ''}"
        raise ConfigError(
            f"{output}: found a policy with feedback of {n_files} that the new one lacks. Update it, choose another "
            "place, or allow it with --overwrite."
        )


def _check_new(policy: Policy, feedback: FeedbackInput) -> str:
    """Return the SHA-256 of the feedback, which must not have been counted.

    Raises:
        DataError: when it was, or when it is the calibration data.
    """
    digest = _digest(feedback.path, "--feedback")
    expected = "feedback that was not counted yet"
    for each in policy.feedback:
        if each.sha256 == digest:
            found = f"feedback that was counted on {each.date}, as {each.file}"
            raise DataError.at(feedback.path, None, found=found, expected=expected, advice=ONCE)
    if feedback.target is not None and _digest(feedback.target, "--target") == digest:
        found = f"the same content as in {feedback.target}"
        advice = "Give the file as it is after post-editing with --feedback."
        raise DataError.at(feedback.path, None, found=found, expected="final translations", advice=advice)
    if digest in (policy.notes.get("sha256") or {}).values():
        found = "the calibration data of the policy"
        advice = "The threshold was chosen on it, so that it says nothing new."
        raise DataError.at(feedback.path, None, found=found, expected=expected, advice=advice)
    return digest


def _digest(path: Path, option: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}. Check {option}.") from error


def _check_audited(tally: Tally) -> None:
    """Check that the feedback says something about what was approved.

    Raises:
        DataError: when there are no decisions, no audited segments, or no results of these.
    """
    path = tally.path
    if not tally.n_decided:
        advice = (
            "Give the file that kiwi score --policy wrote, edited; or that file with --target, beside the edited one."
        )
        found = f"{tally.n_undecided:,} segments without a decision" if tally.n_undecided else "no segment"
        raise DataError.at(path, None, found=found, expected="decisions of kiwi score --policy", advice=advice)
    if not tally.n_drawn:
        if tally.n_known:
            found = f"{tally.n_known:,} audited segments, all of which were counted before"
            raise DataError.at(path, None, found=found, expected="new ones", advice=ONCE)
        found = f"{tally.n_decided:,} segments with a decision, none of which was approved and drawn for audit"
        advice = (
            "Segments that were reviewed because of their score say nothing about those that are approved. Score with "
            "--audit SHARE, such as 0.05, and let people review what it draws."
        )
        raise DataError.at(path, None, found=found, expected="some with the reason 'audit'", advice=advice)
    if not tally.results:
        reasons = "; ".join(f"{reason}: {n:,}" for reason, n in tally.without_result.most_common())
        found = f"{tally.n_drawn:,} segments that were drawn for audit, none of which can be used ({reasons})"
        raise DataError.at(path, None, found=found, expected="their final translations or judgements")


def _warn(tally: Tally) -> None:
    """Warn of what was not counted, and of what may make the counts wrong."""
    if tally.without_result:
        reasons = "; ".join(f"{reason}: {n:,}" for reason, n in tally.without_result.most_common())
        logger.warning(
            "%s: %s of the segments that were drawn for audit are not counted (%s). If people finish the easy ones "
            "first, the risk is higher than it looks.",
            *(tally.path, f"{tally.without_result.total():,}", reasons),
        )
    if tally.n_undecided:
        logger.warning(
            "%s: %s segments have no decision, and are not counted: no policy decided about them.",
            *(tally.path, f"{tally.n_undecided:,}"),
        )
    if tally.n_known:
        logger.warning("%s: %s audited segments were counted before.", tally.path, f"{tally.n_known:,}")
    if all(each.final and each.final == each.machine for each in tally.results):
        logger.warning(
            "%s: all %s audited translations are as the machine made them. Check that it is the edited file.",
            *(tally.path, f"{len(tally.results):,}"),
        )
