"""Find the scores from which translations may be approved, with a certified risk: ``kiwi route fit``."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kiwi import __version__
from kiwi.constants import LANGUAGE_PAIR
from kiwi.data.labels.policy import Acceptable, GroupPolicy, Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.route.calibration import Calibration, kind_of_groups, read_calibration
from kiwi.lib.route.columns import Column, checksums
from kiwi.metrics.risk import certify, score_grid
from kiwi.systems.manifest.carried import check_not_carried
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import write_json
from kiwi.utils.staging import staged

logger = logging.getLogger(__name__)

STEPS_PER_RANGE = 1000
"""The number of thresholds that the range of the scores is divided into."""

HEADER = ["group", "segments", "threshold", "approved", "errors", "risk at most", "why not"]


@dataclass(frozen=True)
class FitOptions:
    """How a policy is made."""

    acceptable: str
    """The definition of an acceptable translation, such as ``hter <= 0.1``."""

    risk: float = 0.1
    """The largest accepted share of approved translations that are not acceptable."""

    confidence: float = 0.9
    """The probability that no group exceeds the risk."""

    step: float | None = None
    """The distance of the thresholds that are tested; None is a thousandth of the range of the scores, or 0.01 of a
    standard deviation, in round numbers."""

    def check(self) -> Acceptable:
        """Check the options, and return the definition of an acceptable translation.

        Raises:
            ConfigError: when an option is out of range.
        """
        for name, share in (("risk", self.risk), ("confidence", self.confidence)):
            if not 0 < share < 1:
                raise ConfigError(f"--{name}: found {share:g}; expected a number between 0 and 1, such as 0.1.")
        if self.step is not None and not (0 < self.step < np.inf):
            raise ConfigError(f"--step: found {self.step:g}; expected a positive number.")
        return Acceptable.parse(self.acceptable)


@dataclass(frozen=True)
class FitInfo:
    """A policy that was written."""

    path: Path
    policy: Policy
    n_left_out: int
    """The number of segments that had no score or no gold value."""

    n_flagged: int = 0
    """The number of segments that had flags, with which none is ever approved."""

    def rows(self) -> list[list[str]]:
        """Return a row for each group, with the columns of :data:`HEADER`."""
        return [_row(name or "all", group) for name, group in self.policy.groups.items()]


def _row(name: str, group: GroupPolicy) -> list[str]:
    row = [name, f"{group.segments:,}"]
    if group.threshold is None:
        return [*row, "none", "", "", "", group.reason]
    share = group.approved / group.segments
    return [
        *row,
        f"{group.threshold:g}",
        f"{group.approved:,} ({share:.1%})",
        f"{group.errors:,}",
        f"{group.risk_bound:.4f}",
        "",
    ]


def fit_policy(
    output: str | Path,
    model: str | Path,
    predictions: Column,
    gold: Column,
    options: FitOptions,
    *,
    by: Column | None = None,
    overwrite: bool = False,
) -> FitInfo:
    """Write a policy: for each group the laxest threshold whose risk is certified.

    Args:
        output: the file to write, as JSON.
        model: the trained or exported system whose scores are given; the policy is for it alone.
        predictions: the scores of the system for the calibration data.
        gold: the gold values that tell which translations are acceptable.
        options: how the policy is made.
        by: the group of each segment; the confidence then holds for all groups together (Bonferroni). Those of a column
            or file ``lp`` are language pairs.
        overwrite: whether the file may replace one that kiwi has not written, or a policy that has feedback.

    Raises:
        ConfigError: when options are invalid, the direction of the scores is not known, or the policy would be written
            into a system or over feedback.
        DataError: when a file cannot be read.
        CheckpointError: when there is no such system.
    """
    acceptable = options.check()
    output = Path(output)
    files = [column.path for column in (predictions, gold, by) if column is not None]
    check_not_carried(output)
    Guard([*files, Path(model)], overwrite, "--overwrite").check([output])
    system = inspect_checkpoint(model)
    if (meaning := system.info.data.score) is None:
        raise ConfigError(
            f"{model}: the direction of its scores is not known. Set it with kiwi inspect --set-score, such as "
            "--set-score kind=hter."
        )
    kind = "" if by is None else kind_of_groups(by)
    data = read_calibration(predictions, gold, meaning, acceptable, by, are_pairs=kind == LANGUAGE_PAIR)
    _check_feedback(output, checksums([predictions.path, gold.path]).values(), overwrite=overwrite)
    _warn_of_scale(data, acceptable, gold.path)
    step = options.step or default_step(meaning, data.scores)
    policy = Policy(
        model=system.fingerprint,
        score=meaning,
        acceptable=acceptable,
        risk=options.risk,
        confidence=options.confidence,
        groups=_fit_groups(data, acceptable, options, meaning, step),
        by=kind,
        created=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        kiwi_version=__version__,
        notes={
            "checkpoint": system.info.sha256,
            "step": step,
            "segments_without_score_or_gold": data.n_left_out,
            "segments_with_flags": data.n_flagged,
            "sha256": checksums(files),
        },
    )
    with staged(output) as stage:
        write_json(stage, policy.to_dict())
    record_written(output)
    if data.n_left_out:
        logger.warning("Left out %s segments without a score or a gold value.", f"{data.n_left_out:,}")
    if data.n_flagged:
        logger.info("Left out %s segments with flags, which are never approved.", f"{data.n_flagged:,}")
    return FitInfo(output, policy, data.n_left_out, data.n_flagged)


def _check_feedback(output: Path, sums: Collection[str], *, overwrite: bool) -> None:
    """Check that no policy with feedback would be replaced, except on request by one from new data.

    Feedback that withdraws a threshold shows that segments in use are unlike the calibration data, which would certify
    the threshold again.

    Args:
        output: the file to write.
        sums: the SHA-256 of the files of scores and gold values.
        overwrite: whether a policy with feedback may be replaced.

    Raises:
        ConfigError: when there is such a policy.
    """
    try:
        former = Policy.read(output)
    except (ConfigError, DataError):  # no policy: the guard has decided whether it may be replaced
        return
    is_withdrawn = any(group.withdrawn for group in former.groups.values())
    if not former.feedback and not is_withdrawn:
        return
    found = f"{output}: found a policy with {'a withdrawn threshold' if is_withdrawn else 'feedback'}"
    elsewhere = "" if is_withdrawn else ", or choose another place"
    known = (former.notes.get("sha256") or {}).values()
    if all(each in known for each in sums):
        raise ConfigError(
            f"{found}, made from the same scores and gold values; expected new data, since the same data would give "
            f"the same threshold without the feedback. Give new data{elsewhere}."
        )
    if not overwrite:
        raise ConfigError(f"{found}; its feedback would be lost. Choose another place, or allow it with --overwrite.")


def _warn_of_scale(data: Calibration, acceptable: Acceptable, place: Path) -> None:
    """Warn of a definition by which all translations are alike, which may be on another scale than the gold values."""
    good = acceptable.judge(data.gold)
    if good.all() or not good.any():
        logger.warning(
            "%s: %s of the segments (%s) are acceptable (%s): %s from %g to %g. Check --acceptable.",
            *(place, "all" if good.all() else "none", f"{len(good):,}", acceptable),
            *(acceptable.gold_name, data.gold.min(), data.gold.max()),
        )


def default_step(meaning: ScoreMeaning, scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the distance of thresholds for scores: a power of ten.

    Args:
        meaning: what the scores mean.
        scores: the scores of the calibration data.
    """
    low, high = meaning.range or (0.0, 10.0 * meaning.deviation)
    width = max(high - low, float(scores.max() - scores.min()) / 10)
    return float(10.0 ** np.floor(np.log10(width / STEPS_PER_RANGE) + 1e-9))


def _fit_groups(
    data: Calibration, acceptable: Acceptable, options: FitOptions, meaning: ScoreMeaning, step: float
) -> dict[str, GroupPolicy]:
    """Return the threshold of each group, or the reason why it has none.

    Each group has its own test; that none of them fails has the confidence of the options (Bonferroni).

    Raises:
        ConfigError: when there are too many thresholds.
    """
    names = sorted({*data.groups})
    confidence = 1 - (1 - options.confidence) / len(names)
    groups = {}
    for name in names:
        inside = data.is_in(name)
        scores = data.scores[inside]
        try:
            grid = score_grid(scores, step, higher_is_better=meaning.higher_is_better)
        except ValueError as error:
            raise ConfigError(f"--step: {error}. Give a larger one.") from error
        found = certify(
            scores,
            acceptable.judge(data.gold[inside]),
            grid,
            risk=options.risk,
            confidence=confidence,
            higher_is_better=meaning.higher_is_better,
        )
        groups[name] = GroupPolicy(found.threshold, found.reason, found.n, found.approved, found.errors, found.bound)
    return groups
