"""Systems that carry a policy: ``kiwi publish --policy``, ``kiwi inspect`` and ``kiwi score --policy carried``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiwi.cli import app, run
from kiwi.data.labels.policy import GroupPolicy
from kiwi.exceptions import CheckpointError, ConfigError, DataError
from kiwi.lib.inspect import inspect_checkpoint, set_score_of
from kiwi.lib.publish import publish
from kiwi.systems.manifest.carried import read_carried_policy
from kiwi.utils.sealed import SUMS_FILE, SealedDirectory
from tests.lib.test_score_policy import FILES, place, score, scores, system, write_policy

__all__ = ["place", "scores", "system"]  # fixtures


@pytest.fixture
def carrying(place: Path, system: Path) -> Path:
    """A published system with a policy."""
    return publish(system, "published", policy="p.json")


def test_the_policy_is_sealed_and_the_system_stays_itself(carrying: Path, system: Path) -> None:
    original, copy = SealedDirectory.open(system), SealedDirectory.open(carrying)
    copy.check_all()
    assert copy.sha256 == original.sha256
    assert {*(copy.sums or ())} == {*(original.sums or ()), "policy.json"}
    assert copy.own == list(original.sums or ())
    assert (carrying / "policy.json").read_bytes() == Path("p.json").read_bytes()
    (carrying / "policy.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"policy\.json: damaged: found SHA-256"):
        read_carried_policy(carrying)
    with pytest.raises(CheckpointError, match=r"policy\.json: damaged: found SHA-256"):
        inspect_checkpoint(carrying)
    # A policy that somebody has put there by hand has no checksum.
    lines = (carrying / SUMS_FILE).read_text().splitlines(keepends=True)
    (carrying / SUMS_FILE).write_text("".join(line for line in lines if "policy.json" not in line))
    with pytest.raises(CheckpointError, match=r"policy\.json: damaged: has no SHA-256"):
        inspect_checkpoint(carrying)


def test_what_is_said_of_it(carrying: Path, system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: app(["inspect", str(carrying), "--json"], standalone_mode=False)) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["policy"] == json.loads(Path("p.json").read_text())
    assert said["sha256"] == inspect_checkpoint(system).info.sha256
    expected = (
        "hter <= 0.1, risk at most 0.1 with probability 0.9; approves in all segments; used by kiwi score --policy"
    )
    assert dict(inspect_checkpoint(carrying).rows())["policy"].startswith(expected)
    assert "policy" not in dict(inspect_checkpoint(system).rows())
    card = (carrying / "README.md").read_text()
    assert "kiwi score --policy carried" in card
    assert "| all | 0 | at most " in card
    publish(system, "plain")
    assert "policy" not in Path("plain/README.md").read_text()
    write_policy(system, {"<x>": GroupPolicy(0.5, "", 200, 50), "y": GroupPolicy(0.5, withdrawn="bad")}, by="a|b")
    card = publish(carrying, "again", policy="p.json").joinpath("README.md").read_text()
    assert r"| a\|b | calibration segments |" in card
    assert "| 200 | at most 0.5 | 25.0 % |" in card
    assert "| y | 0 | nothing |  |" in card


def test_it_is_used(carrying: Path, system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for model, policy in ((system, "p.json"), (carrying, "carried"), (carrying, "p.json")):
        assert score(model, *FILES, "--policy", policy, "--format", "jsonl") == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0].count('"approve"') == 2
    assert outputs[0] == outputs[1] == outputs[2]
    assert score(system, *FILES, "--policy", "carried") == 2
    assert f"--policy carried: {system} carries no policy" in capsys.readouterr().err
    # A file of this name is the policy that is meant.
    write_policy(system, {"": GroupPolicy(None, "needs 22")})
    Path("p.json").rename("carried")
    assert score(carrying, *FILES, "--policy", "carried", "--format", "jsonl") == 0
    assert '"approve"' not in capsys.readouterr().out


def test_published_again(carrying: Path, system: Path) -> None:
    """A copy keeps the policy, or gets another one; in a package it is beside the system."""
    assert read_carried_policy(publish(carrying, "again")) == read_carried_policy(carrying)
    write_policy(system, {"": GroupPolicy(0.75)})
    for source in (system, carrying):
        published = publish(source, "other", policy="p.json", overwrite=True)
        found = read_carried_policy(published)
        assert found is not None
        assert found.groups[""].threshold == 0.75
        assert SealedDirectory.open(published).sha256 == SealedDirectory.open(system).sha256
    package = publish(carrying, "package", package="kiwi-qe-x")
    assert read_carried_policy(package / "kiwi_qe_x" / "system") == read_carried_policy(carrying)


def test_policies_that_no_system_carries(place: Path, system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_policy(system, {"": GroupPolicy(1.0)}, model="b" * 64)
    with pytest.raises(ConfigError, match="found a policy for the system bbbbbbbbbbbb; this one is"):
        publish(system, "published", policy="p.json")
    write_policy(system, {"": GroupPolicy(1.0, withdrawn="too bad")})
    with pytest.raises(ConfigError, match=r"p\.json: found a policy that is withdrawn: too bad"):
        publish(system, "published", policy="p.json")
    assert score(system, *FILES, "--policy", "p.json") == 2
    assert "p.json: found a policy that is withdrawn: too bad" in capsys.readouterr().err
    Path("p.json").write_text("{}")
    with pytest.raises(DataError, match="found no policy"):
        publish(system, "published", policy="p.json")
    assert not Path("published").exists()
    write_policy(system, {"": GroupPolicy(1.0)})
    arguments = ["publish", str(system), "published", "--policy", "p.json"]
    assert run(lambda: app(arguments, standalone_mode=False)) == 0
    assert read_carried_policy(Path("published")) is not None


def test_another_fingerprint_loses_the_policy(carrying: Path, caplog: pytest.LogCaptureFixture) -> None:
    policy = read_carried_policy(carrying)
    set_score_of(carrying, "kind=hter")  # as before
    assert read_carried_policy(carrying) == policy is not None
    set_score_of(carrying, "kind=mqm,higher_is_better=false")
    assert "policy.json was for the fingerprint that it had before, and is removed" in caplog.text
    assert read_carried_policy(carrying) is None
    assert not (carrying / "policy.json").exists()
    inspect_checkpoint(carrying)
