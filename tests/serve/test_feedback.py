"""Feedback that the server stores, and what can be done with it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from kiwi.data.labels.policy import Acceptable, Counts, GroupPolicy, Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.lib.route import FeedbackInput, update_policy
from kiwi.serve.calls.feedback import store_feedback
from kiwi.serve.registry import ServedModel
from kiwi.serve.schemas import FeedbackRequest

SERVED = cast(ServedModel, SimpleNamespace(name="mini", sha256="a" * 64))


def segment(number: int, **known: Any) -> dict[str, Any]:
    target = f"eins zwei drei vier {number}"
    return {"source": f"s {number}", "target": target, "post_edit": target, **known}


def test_stored_feedback_is_counted_by_kiwi_route_update(tmp_path: Path) -> None:
    meaning, acceptable = ScoreMeaning("hter", False, (0.0, 1.0)), Acceptable("hter", "<=", 0.3)
    policy = Policy("a" * 64, meaning, acceptable, 0.1, 0.9, {"": GroupPolicy(0.25)})
    (tmp_path / "p.json").write_text(json.dumps(policy.to_dict()))
    given = [
        *(segment(i, decision="approve", decision_reason="score at most 0.25") for i in range(4)),
        *(segment(i, decision="review", decision_reason="audit", id=i) for i in range(4, 6)),
        segment(6),  # of which nothing is known
    ]
    request = FeedbackRequest.model_validate({"segments": given})
    assert store_feedback(tmp_path / "stored", request, SERVED) == 7
    (file,) = (tmp_path / "stored").iterdir()
    info = update_policy(tmp_path / "p.json", FeedbackInput(file))
    assert info.policy.counted("") == Counts(approved=6, drawn=2, audited=2, errors=0)
