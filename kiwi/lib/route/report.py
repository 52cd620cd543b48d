"""Show what a policy approves, and what it saves: ``kiwi route report``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi.data.labels.policy import Policy
from kiwi.data.text.words import words
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.route.calibration import Calibration, read_calibration
from kiwi.lib.route.columns import Column, checksums
from kiwi.pages.routing import GroupFigures, routing_page
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import write_text
from kiwi.utils.staging import staged


def write_report(
    output: str | Path,
    policy_file: str | Path,
    predictions: Column,
    gold: Column,
    *,
    by: Column | None = None,
    target: Column | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a page with coverage, risk and saved effort of a policy on some data.

    Args:
        output: the file to write.
        policy_file: the policy.
        predictions: the scores of the system of the policy.
        gold: the gold values that tell which translations are acceptable.
        by: the group of each segment, which a policy with groups needs.
        target: the translations, whose words are counted.
        overwrite: whether the file may replace one that kiwi has not written.

    Raises:
        ConfigError: when the policy has groups and there are none, or the reverse.
        DataError: when a file cannot be read.
    """
    output, policy_file = Path(output), Path(policy_file)
    files = [column.path for column in (predictions, gold, by, target) if column is not None]
    Guard([*files, policy_file], overwrite, "--overwrite").check([output])
    policy = Policy.read(policy_file)
    if bool(policy.by) != (by is not None):
        known = f"groups by {policy.by}" if policy.by else "no groups"
        advice = "Give the groups with --by." if policy.by else "Leave --by out."
        raise ConfigError(f"{policy_file}: found a policy with {known}. {advice}")
    data = read_calibration(predictions, gold, policy.score, policy.acceptable, by)
    data = replace(data, groups=policy.groups_named(data.groups))
    if unknown := sorted({*data.groups} - {*policy.groups}):
        known = ", ".join(policy.groups)
        raise ConfigError(f"{policy_file}: the policy has no {policy.by} '{unknown[0]}'; it has {known}.")
    groups = _groups(policy, data, None if target is None else _lengths(target, data, predictions.path))
    sums = checksums(files)
    calibrated_on = {*(policy.notes.get("sha256") or {}).values()}
    is_calibration = bool(calibrated_on) and calibrated_on <= {*sums.values()}
    settings = _settings(policy, policy_file, data, sums, is_calibration=is_calibration)
    with staged(output) as stage:
        page = routing_page(policy, groups, settings, f"Policy {policy_file.stem}", is_calibration=is_calibration)
        write_text(stage, page)
    record_written(output)
    return output


def _lengths(target: Column, data: Calibration, place: Path) -> NDArray[np.float64]:
    """Return the number of words of each translation that is counted, (segments,).

    Raises:
        DataError: when there are other numbers of translations and scores.
    """
    texts = target.read()
    if len(texts) != len(data.is_known):
        found, expected = f"{len(texts):,} segments", f"{len(data.is_known):,}, as {place} has"
        raise DataError.at(target.path, None, found=found, expected=expected)
    return np.array([len(words(text)) for text in texts], dtype=np.float64)[data.is_known]


def _groups(policy: Policy, data: Calibration, lengths: NDArray[np.float64] | None) -> list[GroupFigures]:
    groups = []
    for name in sorted({*data.groups}):
        inside = data.is_in(name)
        gold = data.gold[inside]
        n_words = None if lengths is None else lengths[inside]
        good = policy.acceptable.judge(gold)
        groups.append(GroupFigures(name, policy.groups[name], data.scores[inside], gold, good, n_words))
    return groups


def _settings(
    policy: Policy, policy_file: Path, data: Calibration, sums: Mapping[str, str], *, is_calibration: bool
) -> list[tuple[str, str]]:
    """Return how a policy and its page were made, in words."""
    return [
        ("policy", f"{policy_file.name}, made on {policy.created} by kiwi {policy.kiwi_version}"),
        ("system", policy.model),
        ("scores", str(policy.score)),
        ("data", "the calibration data of the policy" if is_calibration else "other data than the policy was made on"),
        *sums.items(),
        ("left out", f"{data.n_left_out:,} without a score or a gold value; {data.n_flagged:,} with flags"),
        ("step of thresholds", f"{policy.notes.get('step', '?')}"),
        ("method", "Learn then Test with a fixed sequence (Angelopoulos et al. 2021, arXiv 2110.01052)"),
    ]
