"""What a policy approves and what it costs, as one page of HTML: ``kiwi route report``."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiwi import __version__
from kiwi.data.labels.policy import GroupPolicy, Policy
from kiwi.metrics.risk import RiskCurve, risk_curve
from kiwi.pages.assets import read_asset
from kiwi.pages.figure import Figure, Scores
from kiwi.pages.rank_charts import precision_recall, worst_first
from kiwi.pages.svg import Chart
from kiwi.utils.templates import render

MOST_PICTURES = 8
"""The number of groups with pictures, which bounds the size of the page; the tables have all."""

ROWS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The shares of approved segments that a table lists."""


@dataclass(frozen=True)
class GroupFigures:
    """A group of segments with their scores and gold values."""

    name: str
    policy: GroupPolicy
    scores: Scores
    """(segments,)."""

    gold: Scores
    """(segments,)."""

    acceptable: NDArray[np.bool_]
    """(segments,)."""

    n_words: Scores | None = None
    """The number of words of each translation, if the translations are given, (segments,)."""

    def approved_by(self, policy: Policy) -> NDArray[np.bool_]:
        """Return whether the threshold of a policy approves each segment, (segments,)."""
        if not self.policy.approves:
            return np.zeros(len(self.scores), dtype=bool)
        found: NDArray[np.bool_] = policy.is_good(self.scores, self.policy.threshold)
        return found


@dataclass(frozen=True)
class Point:
    """What a threshold would do."""

    threshold: float
    coverage: float
    """The share of segments that are approved, in [0, 1]."""

    risk: float
    """The share of them that are not acceptable, in [0, 1]."""

    upper: float
    """The upper bound of the risk, in [0, 1]."""

    words: float | None
    """The share of words that are approved, in [0, 1]."""

    gold: float
    """The mean gold value of the approved segments: with HTER, the editing that is given up."""


def routing_page(
    policy: Policy,
    groups: Sequence[GroupFigures],
    settings: Sequence[tuple[str, str]],
    title: str,
    *,
    is_calibration: bool,
) -> str:
    """Return a page with coverage, risk and saved effort of a policy, which contains its style, pictures and script.

    Args:
        policy: the policy.
        groups: the segments of each group.
        settings: how the policy was made, in words.
        title: the title of the page.
        is_calibration: whether the policy was made on these segments.
    """
    script = read_asset("routing.js")
    curves = {group.name: _curve(policy, group) for group in groups}
    points = {group.name: _points(policy, group, curves[group.name]) for group in groups}
    return render(
        "routing.html.jinja",
        title=title,
        policy=policy,
        measure=policy.acceptable.gold_name,
        groups=groups,
        absent=[name for name in policy.groups if name not in curves],
        is_calibration=is_calibration,
        settings=settings,
        rows={name: _rows(found) for name, found in points.items()},
        data={name: json.dumps([_plain(point) for point in found]) for name, found in points.items()},
        saved={group.name: _saved(policy, group) for group in groups},
        start={group.name: _start(policy, group, points[group.name]) for group in groups},
        pictures={group.name: _pictures(policy, group, curves[group.name]) for group in groups[:MOST_PICTURES]},
        style=read_asset("evaluation.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        kiwi_version=__version__,
    )


def _curve(policy: Policy, group: GroupFigures) -> RiskCurve:
    return risk_curve(
        group.scores,
        group.acceptable,
        confidence=policy.confidence,
        higher_is_better=policy.score.higher_is_better,
    )


def _points(policy: Policy, group: GroupFigures, curve: RiskCurve) -> list[Point]:
    sign = 1.0 if policy.score.higher_is_better else -1.0
    order = np.argsort(-sign * group.scores, kind="stable")
    gold = np.cumsum(group.gold[order])
    words = None if group.n_words is None else np.cumsum(group.n_words[order])
    counts = np.rint(curve.coverage * len(order)).astype(np.int64)
    return [
        Point(
            threshold=float(curve.thresholds[i]),
            coverage=float(curve.coverage[i]),
            risk=float(curve.risk[i]),
            upper=float(curve.upper[i]),
            words=None if words is None else float(words[count - 1] / max(words[-1], 1)),
            gold=float(gold[count - 1] / count),
        )
        for i, count in enumerate(counts.tolist())
    ]


@dataclass(frozen=True)
class Saved:
    """What the threshold of a policy does with the segments of a group."""

    approved: int
    """The number of segments that it approves."""

    errors: int
    """The number of them that are not acceptable."""

    words: float | None
    """The share of words that are approved, in [0, 1]; None if they are not counted."""

    gold: float | None
    """The mean gold value of the approved segments; None if there are none."""


def _saved(policy: Policy, group: GroupFigures) -> Saved:
    chosen = group.approved_by(policy)
    words = None if group.n_words is None else float(group.n_words[chosen].sum() / max(group.n_words.sum(), 1))
    gold = float(group.gold[chosen].mean()) if chosen.any() else None
    return Saved(int(chosen.sum()), int((~group.acceptable[chosen]).sum()), words, gold)


def _plain(point: Point) -> list[float | None]:
    words = None if point.words is None else round(point.words, 4)
    shares = [round(value, 4) for value in (point.coverage, point.risk, point.upper)]
    return [float(f"{point.threshold:.6g}"), *shares, words, float(f"{point.gold:.6g}")]


def _rows(points: Sequence[Point]) -> list[Point]:
    """Return the points nearest to some shares of approved segments, without repetition."""
    chosen = [min(range(len(points)), key=lambda i: abs(points[i].coverage - share)) for share in ROWS]
    return [points[i] for i in sorted(set(chosen))]


def _start(policy: Policy, group: GroupFigures, points: Sequence[Point]) -> int:
    """Return the point at which the slider starts: that of the policy, or the strictest one."""
    coverage = float(group.approved_by(policy).mean())
    return min(range(len(points)), key=lambda i: abs(points[i].coverage - coverage))


def _pictures(policy: Policy, group: GroupFigures, curve: RiskCurve) -> list[Figure]:
    signed = f"n:{len(group.scores)}|{policy.acceptable}|kiwi:{__version__}"
    sign = -1.0 if policy.score.higher_is_better else 1.0
    gold_sign = -1.0 if policy.acceptable.comparison == ">=" else 1.0
    is_bad = (~group.acceptable).astype(np.int64)
    pictures = [_coverage_chart(policy, group, curve, signed)]
    if is_bad.any() and not is_bad.all():
        pictures.append(precision_recall(is_bad, sign * group.scores, None, signed))
    pictures.append(worst_first(gold_sign * group.gold, sign * group.scores, signed))
    return pictures


def _coverage_chart(policy: Policy, group: GroupFigures, curve: RiskCurve, signed: str) -> Figure:
    top = min(1.0, max(float(np.quantile(curve.upper, 0.9)), 2 * policy.risk) * 1.05)
    found, chosen = group.policy, group.approved_by(policy)
    coverage = float(chosen.mean()) if found.approves else None
    nothing = "the threshold is withdrawn" if found.withdrawn else "no threshold is certified"
    said = nothing if coverage is None else f"the policy approves {coverage:.1%} of the segments"
    label = f"Risk over coverage: {said}, at a risk of at most {policy.risk:g}."
    chart = Chart((0.0, 1.0), (0.0, top), "share approved", "share not acceptable", label, percent=True)
    for values, css in ((curve.lower, "line-gold"), (curve.upper, "line-gold"), (curve.risk, "line-trend")):
        chart.line(zip(curve.coverage.tolist(), np.minimum(values, top).tolist(), strict=True), css)
    chart.line([(0.0, policy.risk), (1.0, policy.risk)], "ideal")
    caption = (
        f"Dashed: the largest accepted risk. At each threshold by itself, the risk lies between the thin lines with a "
        f"probability of {policy.confidence:.0%}. "
    )
    if coverage:
        chart.circle(coverage, min(float((~group.acceptable[chosen]).mean()), top), 6, "dot")
        caption += "Circle: "
    caption += f"{said[0].upper()}{said[1:]}." if not coverage else f"{said}."
    keys = (("predicted", "observed risk"), ("best", "its interval"))
    return Figure("Coverage and risk", caption, f"coverage|{signed}", chart.svg(), keys=keys)
