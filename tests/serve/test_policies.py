"""Decisions of served policies."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from kiwi.data.labels.policy import Acceptable, GroupPolicy, Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, KiwiError
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.publish import publish
from kiwi.serve.options import Limits, ServeOptions
from kiwi.serve.registry import Registry
from kiwi.serve.schemas import ScoreRequest
from kiwi.serve.scoring import score_request


def write_policy(path: Path, system: Path, groups: dict[str, GroupPolicy], by: str = "domain") -> None:
    meaning = ScoreMeaning("hter", False, (0.0, 1.0))
    sha256 = inspect_checkpoint(system).info.sha256
    by = "" if "" in groups else by
    policy = Policy(sha256, meaning, Acceptable("hter", "<=", 0.1), 0.1, 0.9, groups, by)
    path.write_text(json.dumps(policy.to_dict()))


async def _receive() -> dict[str, str]:
    await asyncio.Event().wait()  # the client stays
    raise AssertionError


def decisions(registry: Registry, policy: str, **how: Any) -> list[tuple[str, str]]:
    segments: list[dict[str, Any]] = [
        {"source": "the house", "target": "das Haus", "group": "a"},
        {"source": "the bank is here", "target": "the bank is here", "group": "a"},
        {"source": "a bank", "target": "eine Bank", "group": "b"},
    ]
    if "group" in how:
        segments = [{**segment, "group": how["group"]} for segment in segments]
        del how["group"]
    request = ScoreRequest.model_validate({"segments": segments, "policy": policy, **how})
    found = asyncio.run(score_request(registry, request, Limits(), _receive))["segments"]
    assert all(("flags" in each) is how.get("flags", True) for each in found)
    return [(each["decision"], each["decision_reason"]) for each in found]


def test_policies_read_flags_that_nobody_asked_for(text_system: Path, tmp_path: Path) -> None:
    """A policy approves no copy of the source, whether or not flags are answered; a withdrawn group is reviewed."""
    write_policy(tmp_path / "p.json", text_system, {"a": GroupPolicy(1.0), "b": GroupPolicy(1.0, withdrawn="too bad")})
    carrying = publish(text_system, tmp_path / "carrying", policy=tmp_path / "p.json")
    policies = {"p": tmp_path / "p.json", "own": Path("carried")}
    write_policy(tmp_path / "pairs.json", text_system, {"en-de": GroupPolicy(1.0)}, "lp")
    registry = Registry(ServeOptions({"text": str(carrying)}, policies=policies | {"pairs": tmp_path / "pairs.json"}))
    try:
        for flags in (True, False):
            for name in policies:
                first, copied, withdrawn = decisions(registry, name, flags=flags)
                assert first == ("approve", "score at most 1")
                assert copied[0] == "review"
                assert copied[1].startswith("flags: ")
                assert withdrawn == ("review", "withdrawn: too bad")
        # The languages of a request are the group of segments that name none.
        first, *_ = decisions(registry, "pairs", languages=("en", "de-DE"), group=None)
        assert first == ("approve", "score at most 1")
        assert decisions(registry, "pairs", languages=("en", "fr"), group=None)[0][1] == "the policy has no lp 'en-fr'"
        assert decisions(registry, "pairs", languages=("en", "de"))[0][1] == "the policy has no lp 'a'"
        assert decisions(registry, "pairs", group=None)[0] == ("review", "the request names no languages")
    finally:
        registry.close(30)


def test_withdrawn_policies_are_not_served(text_system: Path, tmp_path: Path) -> None:
    write_policy(tmp_path / "p.json", text_system, {"": GroupPolicy(1.0, withdrawn="too bad")})
    with pytest.raises(ConfigError, match="found a policy that is withdrawn: too bad"):
        Registry(ServeOptions({"text": str(text_system)}, policies={"p": tmp_path / "p.json"}))


@pytest.mark.parametrize("n_models", [1, 2])
def test_policies_that_no_model_can_use_are_refused_with_their_reason(
    text_system: Path, tmp_path: Path, n_models: int
) -> None:
    models = {name: str(text_system) for name in ("a", "b")[:n_models]}
    withdrawn = tmp_path / "withdrawn.json"
    write_policy(withdrawn, text_system, {"": GroupPolicy(1.0, withdrawn="too bad")})
    with pytest.raises(ConfigError, match="withdrawn: too bad"):
        Registry(ServeOptions(models, policies={"p": withdrawn}))
    with pytest.raises(KiwiError, match=r"missing\.json") as raised:
        Registry(ServeOptions(models, policies={"p": tmp_path / "missing.json"}))
    assert "made for none" not in str(raised.value)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(json.loads(withdrawn.read_text()) | {"model": "0" * 64}))
    expected = "found a policy for the system 0000" if n_models == 1 else "made for none of the models a, b. Make"
    with pytest.raises(ConfigError, match=expected):
        Registry(ServeOptions(models, policies={"p": other}))


def test_a_reload_that_would_leave_a_policy_without_its_model_changes_nothing(
    system: Path, text_system: Path, tmp_path: Path
) -> None:
    served = shutil.copytree(text_system, tmp_path / "served")
    for name, of in (("own", text_system), ("other", system)):
        write_policy(tmp_path / f"{name}.json", of, {"": GroupPolicy(1.0)})
    policies = {name: tmp_path / f"{name}.json" for name in ("own", "other")}
    registry = Registry(ServeOptions({"first": str(system), "second": str(served)}, policies))
    try:
        former = dict(registry.models)
        shutil.rmtree(served)
        shutil.copytree(system, served)
        for name in ("second", None):
            with pytest.raises(ConfigError, match=r"own\.json, which was made for none of the models first, second"):
                registry.reload(name)
        assert registry.models == former
        assert len(decisions(registry, "own", model="second")) == 3
    finally:
        assert registry.close(30)
