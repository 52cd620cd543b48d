"""Policies: definitions of acceptable translations, decisions, and their files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kiwi.data.labels.policy import APPROVE, REVIEW, Acceptable, Counts, Feedback, GroupPolicy, Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.io import write_json

LOWER = Policy(
    model="a" * 64,
    score=ScoreMeaning("hter", False, (0.0, 1.0)),
    acceptable=Acceptable("hter", "<=", 0.1),
    risk=0.1,
    confidence=0.9,
    groups={"en-de": GroupPolicy(0.25, "", 100, 50, 1, 0.07), "en-fr": GroupPolicy(None, "needs 22", 10)},
    by="lp",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hter <= 0.1", Acceptable("hter", "<=", 0.1)),
        ("DA>=70", Acceptable("da", ">=", 70)),
        (" mqm <= 5 ", Acceptable("mqm", "<=", 5)),
        ("score >= -1e-1", Acceptable("score", ">=", -0.1)),
        ("hter <= 0.12345678", Acceptable("hter", "<=", 0.12345678)),
        ("mqm >= -1234567.5", Acceptable("mqm", ">=", -1234567.5)),
        ("no major", Acceptable("major", "<=", 0)),
        (" No critical errors", Acceptable("critical", "<=", 0)),
    ],
)
def test_definitions(text: str, expected: Acceptable) -> None:
    assert Acceptable.parse(text) == Acceptable.parse(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("good", "--acceptable: found 'good'; expected a measure, <= or >=, and a number"),
        ("ter <= 1", "'ter' is not a measure; expected hter, da, esa, mqm, score"),
        ("hter < 1", "found '<'; expected <= or >="),
        ("hter >= 0.1", "hter is good where it is <= a bound"),
        ("da <= 70", "da is good where it is >= a bound"),
        ("no bad", "found 'no bad'; expected 'no' and a severity: minor, major, critical"),
        ("no neutral error", "expected 'no' and a severity"),
        ("major <= 1", "'major' is not a measure"),
        ("da >= many", "found 'many'; expected a number"),
        ("da >= nan", "found 'nan'; expected a number"),
    ],
)
def test_bad_definitions(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Acceptable.parse(text)


def test_judging() -> None:
    gold = np.array([0.0, 0.1, 0.2])
    assert Acceptable("hter", "<=", 0.1).judge(gold).tolist() == [True, True, False]
    assert Acceptable("score", ">=", 0.1).judge(gold).tolist() == [False, True, True]


def test_gold_values_of_spans() -> None:
    """By hand: an error counts where it is as severe as the named severity; raters are averaged."""
    raters = [["minor", "major"], [], ["critical", "critical", "critical"]]
    assert Acceptable.parse("no minor").gold_value(raters) == 5 / 3
    assert Acceptable.parse("no major").gold_value(raters) == 4 / 3
    assert Acceptable.parse("no critical").gold_value(raters) == 1
    assert Acceptable.parse("mqm <= 1").gold_value(raters) == (6 + 0 + 25) / 3
    assert Acceptable.parse("mqm >= -1").gold_value(raters[:1]) == -6
    assert math.isnan(Acceptable.parse("no major").gold_value([]))
    assert Acceptable.parse("no major").judge(np.array([0.0, 0.5, 1.0])).tolist() == [True, False, False]
    names = [Acceptable.parse(text).gold_name for text in ("no major", "no critical", "hter <= 1", "score >= 1")]
    assert names == ["number of major or worse errors", "number of critical errors", "HTER", "score"]


def test_decisions() -> None:
    assert LOWER.decide(0.25, "en-de") == (APPROVE, "score at most 0.25")
    assert LOWER.decide(0.26, "en-de") == (REVIEW, "score above 0.25")
    assert LOWER.decide(0.1, "en-fr") == (REVIEW, "no threshold is certified: needs 22")
    assert LOWER.decide(0.1, "en-zh") == (REVIEW, "the policy has no lp 'en-zh'")
    assert LOWER.decide(0.1, "") == (REVIEW, "no lp is given")
    assert LOWER.decide(math.nan, "en-de") == (REVIEW, "no score")
    assert LOWER.decide(math.nan, "") == (REVIEW, "no score")  # such as a segment that cannot be used
    assert LOWER.decide(0.1, "en-de", ["empty", "numbers"]) == (REVIEW, "flags: empty, numbers")
    higher = replace(LOWER, score=ScoreMeaning("da", True, (0.0, 100.0)), groups={"": GroupPolicy(70)}, by="")
    assert higher.decide(70) == (APPROVE, "score at least 70")
    assert higher.decide(69.9) == (REVIEW, "score below 70")


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(LOWER.to_dict()))
    assert Policy.read(file) == LOWER
    LOWER.check_model("a" * 64, file)
    with pytest.raises(ConfigError, match="found a policy for the system aaaaaaaaaaaa; this one is bbbbbbbbbbbb"):
        LOWER.check_model("b" * 64, file)


def test_feedback_is_kept(tmp_path: Path) -> None:
    counts = {"en-de": Counts(100, 10, 8, 1), "en-fr": Counts(3, 0, 0, 0)}
    first = Feedback("2026-01-31", "a.xlf", "f" * 64, counts, {"en-de": "undecided"}, frozenset({"0a", "1b"}))
    second = replace(first, groups={"en-de": Counts(20, 2, 2, 2)}, segments=frozenset())
    policy = replace(LOWER, feedback=(first, second))
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy.to_dict()))
    assert Policy.read(file) == policy
    assert policy.counted("en-de") == Counts(120, 12, 10, 3)
    assert [policy.n_updates(name) for name in ("en-de", "en-fr", "x")] == [2, 0, 0]
    assert policy.counted("x") == Counts()
    assert policy.group_confidence == pytest.approx(0.95)
    # A policy of before has no feedback.
    content = LOWER.to_dict()
    del content["feedback"]
    file.write_text(json.dumps(content))
    assert Policy.read(file) == LOWER


def test_withdrawn_groups() -> None:
    withdrawn = replace(LOWER.groups["en-de"], withdrawn="3 of 4")
    policy = replace(LOWER, groups={**LOWER.groups, "en-de": withdrawn, "en-ru": GroupPolicy(0.5)})
    assert policy.decide(0.1, "en-de") == (REVIEW, "withdrawn: 3 of 4")
    assert policy.decide(0.1, "en-ru").decision == APPROVE
    assert str(policy).endswith("approves in en-ru")
    policy.check_in_force("p")
    # A group that never had a threshold leaves nothing to approve either.
    policy = replace(LOWER, groups={**LOWER.groups, "en-de": withdrawn})
    with pytest.raises(ConfigError, match=r"p: found a policy that is withdrawn: en-de: 3 of 4\. Make the policy"):
        policy.check_in_force("p")
    assert str(policy).endswith("approves nothing")
    replace(LOWER, groups={"": GroupPolicy(None, "needs 22")}).check_in_force("p")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "found format 2; expected 1, which this kiwi reads"),
        ({"groups": None}, "found no policy; expected a file of kiwi route fit"),
        ({"risk": 1.5}, "risk: 1.5 is not between 0 and 1"),
        ({"score": {"kind": "x"}}, "a damaged policy"),
        ({"groups": {"": {"threshold": "much"}}}, "a damaged policy"),
        ({"groups": {"": {"limit": 1}}}, "a damaged policy"),
        ({"feedback": [{"date": "x"}]}, "a damaged policy"),
        ({"feedback": ["x"]}, "a damaged policy"),
        ({"acceptable": "good"}, "a damaged policy"),
        ({"risk": "0.1"}, "a damaged policy"),
        ({"confidence": 10**400}, "a damaged policy"),
        ({"groups": {}}, "a damaged policy"),
        ({"groups": {"": {"threshold": 0.5}}}, "a damaged policy"),  # beside by: lp
        ({"by": ""}, "a damaged policy"),  # beside en-de
        ({"by": 5}, "a damaged policy"),
        ({"notes": ["x"]}, "a damaged policy"),
        ({"notes": {"sha256": ["x"]}}, "a damaged policy"),
        ({"groups": {"en-de": {"threshold": "0.5"}}}, "a damaged policy"),
        ({"groups": {"en-de": {"threshold": True}}}, "a damaged policy"),
        ({"groups": {"en-de": {"threshold": 0.5, "withdrawn": None}}}, "a damaged policy"),
        ({"groups": {"en-de": {"threshold": 0.5, "risk_bound": 2}}}, "a damaged policy"),
        ({"groups": {"en-de": {"threshold": 0.5, "segments": 1, "approved": 2}}}, "contradict each other"),
        ({"groups": {"en-de": {"threshold": 0.5, "segments": "9"}}}, "contradict each other"),
        ({"groups": {"en-de": [0.5]}}, "a damaged policy"),
        (
            {
                "feedback": [
                    {
                        "date": "",
                        "file": "",
                        "sha256": "",
                        "groups": {"a": {"approved": 1, "drawn": 2}},
                        "outcomes": {},
                        "segments": "",
                    }
                ]
            },
            "contradict each other",
        ),
        ({"model": None}, None),
    ],
)
def test_damaged_files(change: dict[str, object], message: str | None, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    content = LOWER.to_dict() | change
    if message is None:
        del content["model"]
        message = "a damaged policy"
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        Policy.read(file)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"a: 1", b"[" * 100_000, b'{"a": 1, "a": 2}', b"[1]", b"\0"]
)
def test_files_that_are_no_json(content: bytes, tmp_path: Path) -> None:
    """They are damaged data like all others, whatever their suffix; a file that is not there is a wrong option."""
    for name in ("policy.json", "policy"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name}.*[Ee]xpected a file of kiwi route fit. Make the policy again"):
            Policy.read(tmp_path / name)
    for gone in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            Policy.read(gone)


def test_every_truncated_file(tmp_path: Path) -> None:
    content, file = json.dumps(LOWER.to_dict(), indent=1).encode(), tmp_path / "policy.json"
    for size in range(0, len(content), 7):
        file.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"[Ee]xpected"):
            Policy.read(file)


def test_large_policies(tmp_path: Path) -> None:
    """Thousands of groups, and hashes of many audited segments, are read as they were written."""
    groups = {f"customer \N{GRINNING FACE} {number}": GroupPolicy(0.25, "", 100, 50, 1, 0.07) for number in range(9000)}
    feedback = Feedback(
        "2026-01-31", "a.tsv", "f" * 64, segments=frozenset(f"{number:016x}" for number in range(90_000))
    )
    policy = replace(LOWER, groups=groups, by="customer", feedback=(feedback,))
    for name in ("policy.json", "policy"):
        write_json(tmp_path / name, policy.to_dict())
        assert (tmp_path / name).stat().st_size > 2**20
        assert Policy.read(tmp_path / name) == policy
