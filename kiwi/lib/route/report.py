"""Show what a policy approves, and what it saves: ``kiwi route report``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from kiwi.data.labels.policy import Policy
from kiwi.data.text.words import words
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.route.calibration import read_calibration
from kiwi.lib.route.columns import Column
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
    lengths = None
    if target is not None:
        texts = target.read()
        if len(texts) != len(data.is_known):
            found, expected = f"{len(texts):,} segments", f"{len(data.is_known):,}, as {predictions.path} has"
            raise DataError.at(target.path, None, found=found, expected=expected)
        lengths = np.array([len(words(text)) for text in texts], dtype=np.float64)[data.is_known]
    groups = []
    for name in sorted(set(data.groups)):
        if name not in policy.groups:
            known = ", ".join(policy.groups)
            raise ConfigError(f"{policy_file}: the policy has no {policy.by} '{name}'; it has {known}.")
        inside = data.is_in(name)
        gold_values = data.gold[inside]
        groups.append(
            GroupFigures(
                name,
                policy.groups[name],
                data.scores[inside],
                gold_values,
                policy.acceptable.judge(gold_values),
                None if lengths is None else lengths[inside],
            )
        )
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    calibrated_on = dict(policy.notes.get("sha256") or {})
    is_calibration = bool(calibrated_on) and calibrated_on.items() <= sums.items()
    settings = [
        ("policy", f"{policy_file.name}, made on {policy.created} by kiwi {policy.kiwi_version}"),
        ("system", policy.model),
        ("scores", str(policy.score)),
        ("data", "the calibration data of the policy" if is_calibration else "other data than the policy was made on"),
        *((name, digest) for name, digest in sums.items()),
        ("step of thresholds", f"{policy.notes.get('step', '?')}"),
        ("method", "Learn then Test with a fixed sequence (Angelopoulos et al. 2021, arXiv 2110.01052)"),
    ]
    with staged(output) as stage:
        write_text(stage, routing_page(policy, groups, settings, f"Policy {policy_file.stem}"))
    record_written(output)
    return output
