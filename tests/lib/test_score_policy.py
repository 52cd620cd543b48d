"""``kiwi score --policy``."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kiwi.cli import app, run
from kiwi.data.labels.policy import Acceptable, Counts, GroupPolicy, Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError
from kiwi.lib.inspect import inspect_checkpoint, set_score_of
from kiwi.lib.score import Audit
from kiwi.lib.score.deciding import Decider
from kiwi.runner import load_system
from kiwi.systems.qe_system import QESystem
from tests.lib.test_score_document import system as text_system

__all__ = ["text_system"]  # a fixture

SOURCE = ["the house .", "a bank", "the bank ."]
TARGET = ["das Haus .", "eine Bank", "die Bank ."]
PAIRS = ["0-0 1-1 2-2", "0-0 1-1", "0-0 1-1 2-2"]


@pytest.fixture(scope="module")
def system(plain_system: QESystem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("policy") / "system"
    plain_system.save(place)
    set_score_of(place, "kind=hter")
    return place


@pytest.fixture(scope="module")
def scores(system: Path) -> list[float]:
    found = load_system(system).predict(SOURCE, TARGET, PAIRS).sentence_scores
    assert found is not None
    return list(found)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: Path, scores: list[float]) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, lines in {"s": SOURCE, "t": TARGET, "a": PAIRS, "g": ["x", "y", "z"]}.items():
        Path(name).write_text("".join(f"{line}\n" for line in lines))
    columns = zip(SOURCE, TARGET, PAIRS, ["x", "y", "z"], strict=True)
    Path("t.tsv").write_text("source\ttarget\talignments\tdomain\n" + "".join("\t".join(row) + "\n" for row in columns))
    write_policy(system, {"": GroupPolicy(sorted(scores)[1])})
    return tmp_path


def write_policy(system: Path, groups: dict[str, GroupPolicy], **changes: object) -> None:
    """Write a policy that approves the two lowest scores."""
    policy = Policy(
        model=inspect_checkpoint(system).info.sha256,
        score=ScoreMeaning("hter", False, (0.0, 1.0)),
        acceptable=Acceptable("hter", "<=", 0.1),
        risk=0.1,
        confidence=0.9,
        groups=groups,
    )
    Path("p.json").write_text(json.dumps(replace(policy, **changes).to_dict()))  # type: ignore[arg-type]


def score(system: Path, *arguments: str) -> int:
    return run(lambda: app(["score", "-m", str(system), "--quiet", *arguments], standalone_mode=False))


FILES = ("-s", "s", "-t", "t", "-a", "a")


def test_lines(place: Path, system: Path, scores: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    expected = ["approve" if value <= sorted(scores)[1] else "review" for value in scores]
    assert sorted(expected) == ["approve", "approve", "review"]
    outputs = []
    # The decision is by the scores of the system, whatever scale is written.
    for scale in ("own", "0-100"):
        assert score(system, *FILES, "--policy", "p.json", "--format", "jsonl", "--scale", scale) == 0
        outputs.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    for lines in outputs:
        assert [line["decision"] for line in lines] == expected
        assert {line["decision_reason"].partition(" 0")[0] for line in lines} == {"score at most", "score above"}


def test_tables_and_groups(place: Path, system: Path, scores: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    write_policy(system, {"x": GroupPolicy(1.0), "y": GroupPolicy(None, "needs 22")}, by="domain")
    expected = [
        ("approve", "score at most 1"),
        ("review", "no threshold is certified: needs 22"),
        ("review", "the policy has no domain 'z'"),
    ]
    assert score(system, "t.tsv", "-o", "out.tsv", "--policy", "p.json", "--columns", "group=domain") == 0
    header, *rows = [line.split("\t") for line in Path("out.tsv").read_text().splitlines()]
    assert [(row[header.index("decision")], row[header.index("decision_reason")]) for row in rows] == expected
    assert [row[header.index("domain")] for row in rows] == ["x", "y", "z"]
    capsys.readouterr()
    assert score(system, *FILES, "--group", "g", "--policy", "p.json", "--format", "jsonl") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["decision"], line["decision_reason"]) for line in lines] == expected


def test_languages_are_the_group(
    place: Path, system: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments of one language pair need no groups: lines, tables and pipes."""
    write_policy(system, {"en-de": GroupPolicy(1.0), "en-cs": GroupPolicy(None, "needs 22")}, by="lp")
    options = (*FILES, "--policy", "p.json", "--format", "jsonl")
    for languages, decision in {
        "en,de": "approve",
        "en_GB,de-AT": "approve",
        "en,cs": "review",
        "en,fr": "review",
    }.items():
        assert score(system, *options, "--languages", languages, "--no-flags") == 0
        assert {json.loads(line)["decision"] for line in capsys.readouterr().out.splitlines()} == {decision}
    # The groups that are given count.
    Path("g").write_text("en-cs\n" * 3)
    assert score(system, *options, "--languages", "en,de", "--group", "g") == 0
    assert {json.loads(line)["decision"] for line in capsys.readouterr().out.splitlines()} == {"review"}
    # So do those of a table and of a pipe, if it has a column of them.
    rows = [f"{source}\t{target}\t{pairs}" for source, target, pairs in zip(SOURCE, TARGET, PAIRS, strict=True)]
    for groups, decision in (("", "approve"), ("\ten-cs", "review")):
        names = "source\ttarget\talignments" + ("\tgroup" if groups else "")
        lines = [f"{row}{groups}\n" for row in rows]
        Path("in.tsv").write_text("".join([f"{names}\n", *lines]))
        chosen = ("--policy", "p.json", "--languages", "en,de", "--overwrite")
        assert score(system, "in.tsv", "-o", "out.tsv", *chosen) == 0
        assert score(system, "in.tsv", *chosen[:4], "--format", "jsonl") == 0
        header, *found = [line.split("\t") for line in Path("out.tsv").read_text().splitlines()]
        assert {row[header.index("decision")] for row in found} == {decision}
        assert {json.loads(line)["decision"] for line in capsys.readouterr().out.splitlines()} == {decision}
        # A pipe without names of columns has all that it may have, or none of it.
        piped = lines if groups else [line.rpartition("\t")[0] + "\n" for line in lines]
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("".join(piped).encode())))
        assert score(system, *chosen[:4], "--format", "jsonl") == 0
        assert {json.loads(line)["decision"] for line in capsys.readouterr().out.splitlines()} == {decision}
    assert score(system, *options) == 2
    assert "with --languages if it is the same for all" in " ".join(capsys.readouterr().err.split())


def test_flags_need_a_person(place: Path, system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_policy(system, {"": GroupPolicy(1.0)})
    Path("t").write_text("das Haus .\na bank\ndie Bank .\n")
    assert score(system, *FILES, "--policy", "p.json", "--format", "jsonl") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["decision"] for line in lines] == ["approve", "review", "approve"]
    assert lines[1]["decision_reason"].startswith("flags: ")


def test_bad_policies(place: Path, system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(message: str, *arguments: str) -> None:
        assert score(system, *arguments) in (2, 3)
        assert message in capsys.readouterr().err

    write_policy(system, {"x": GroupPolicy(1.0)}, by="domain")
    fails("found a policy with a threshold for each domain", *FILES, "--policy", "p.json")
    for options in (("-o", "out.tsv"), ("--only-scores",)):
        fails("column 'group'", "t.tsv", *options, "--policy", "p.json")
        fails(
            "a threshold for each domain: name its column, such as --columns group=domain",
            "t.tsv",
            *options,
            "--policy",
            "p.json",
        )
    fails("--group: given without --policy", *FILES, "--group", "g")
    fails("--columns group: given without --policy", "t.tsv", "--columns", "group=domain")
    write_policy(system, {"": GroupPolicy(1.0)})
    fails("one threshold for all segments, but groups are given", *FILES, "--policy", "p.json", "--group", "g")
    fails("one threshold for all segments, but", "t.tsv", "--policy", "p.json", "--columns", "group=domain")
    fails("--group: not for a file that is copied", "t.tsv", "--policy", "p.json", "--group", "g")
    write_policy(system, {"": GroupPolicy(1.0)}, model="b" * 64)
    fails("found a policy for the system bbbbbbbbbbbb", *FILES, "--policy", "p.json")
    Path("p.json").write_text("{}")
    fails("found no policy; expected a file of kiwi route fit", *FILES, "--policy", "p.json")
    write_policy(system, {"": GroupPolicy(1.0)})
    fails("--audit: found 2; expected a share above 0", *FILES, "--policy", "p.json", "--audit", "2")
    fails("--audit: given without --policy", *FILES, "--audit", "0.1")
    fails("--audit-seed: given without --audit", *FILES, "--policy", "p.json", "--audit-seed", "2")
    Path("d.po").write_text('msgid "a"\nmsgstr "b"\n')
    document = ("d.po", "-o", "out.po", "--policy", "p.json")
    fails("--threshold: the policy has thresholds of its own", *document, "--threshold", "50")
    fails("--lower-is-better: for --threshold", *document, "--lower-is-better")


def test_audit(place: Path, system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A segment is drawn or not whatever stands beside it; what is reviewed anyway keeps its reason."""
    audit = Audit(0.5, seed=3)
    drawn = [audit.takes(source, target) for source, target in zip(SOURCE, TARGET, strict=True)]
    assert sorted(drawn) in ([False, False, True], [False, True, True])
    write_policy(system, {"x": GroupPolicy(1.0), "y": GroupPolicy(1.0)}, by="domain")
    expected = ["audit" if each else "score at most 1" for each in drawn[:2]] + ["the policy has no domain 'z'"]
    for reverse in (False, True):
        step = -1 if reverse else 1
        for name, lines in {"s": SOURCE, "t": TARGET, "a": PAIRS, "g": ["x", "y", "z"]}.items():
            Path(name).write_text("".join(f"{line}\n" for line in lines[::step]))
        options = ("--group", "g", "--policy", "p.json", "--format", "jsonl", "--audit", "0.5", "--audit-seed", "3")
        assert score(system, *FILES, *options, *(["--stream"] if reverse else [])) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()][::step]
        assert [line["decision_reason"] for line in lines] == expected
        assert [line["decision"] == "approve" for line in lines] == [*(not each for each in drawn[:2]), False]


def test_the_share_of_the_audit() -> None:
    """The sample has its share, larger shares contain smaller ones, and other seeds draw others."""
    texts = [(f"source {i}", f"target {i}") for i in range(20_000)]
    few, many, other = (
        {pair for pair in texts if audit.takes(*pair)} for audit in (Audit(0.05), Audit(0.5), Audit(0.05, seed=2))
    )
    assert len(few) == pytest.approx(1000, abs=3 * (20_000 * 0.05 * 0.95) ** 0.5)
    assert few < many
    assert len(few & other) < 100
    assert all(Audit(1.0).takes(*pair) for pair in texts[:100])


XLIFF = """<?xml version="1.0"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en-US" target-language="de-DE" original="a" datatype="x"><body>
<trans-unit id="1"><source>a bank</source><target>eine Bank</target></trans-unit>
</body></file></xliff>
"""


def test_groups_of_documents(tmp_path: Path) -> None:
    """Language pairs are those of the document, and other groups have no place there."""
    policy = Policy(
        "a", ScoreMeaning("hter", False), Acceptable("hter", "<=", 0.1), 0.1, 0.9, {"en-de": GroupPolicy(0.5)}
    )
    decider = Decider(replace(policy, by="lp"))
    assert decider.groups_of([("en_US", "de-DE"), ("en", "fr"), (None, "de")]) == {"group": ["en-de", "en-fr", "-de"]}
    regional = replace(policy, by="lp", groups={"en-US-de-DE": GroupPolicy(0.5), "en-de": GroupPolicy(0.5)})
    assert Decider(regional).groups_of([("en-us", "de-DE")]) == {"group": ["en-US-de-DE"]}
    assert Decider(policy).groups_of([("en", "de")]) == {}
    given = [(None, ("en_US", "de")), ("fr ", ("en", "de")), (None, ()), ("", ("en", "de"))]
    assert [decider.with_languages(pair).group_of(group) for group, pair in given] == ["en-de", "fr", "", ""]
    assert [Decider(policy).with_languages(pair).group_of(group) for group, pair in given] == ["", "fr", "", ""]
    columns = {"source": ["a"] * 4, "target": ["b"] * 4, "group": ["en-de ", "en_US-de", "en-fr", "legal"]}
    decided = decider.decide([0.1] * 4, columns, None)
    assert decided["decision"] == ["approve", "approve", "review", "review"]
    assert decided["decision_reason"][2:] == ["the policy has no lp 'en-fr'", "the policy has no lp 'legal'"]
    decider.check_document("XLIFF", "p")
    with pytest.raises(ConfigError, match="a threshold for each domain, which XLIFF does not say"):
        Decider(replace(policy, by="domain")).check_document("XLIFF", "p")


def test_documents(text_system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = Path(shutil.copytree(text_system, "known"))
    set_score_of(known, "kind=hter")
    Path("d.xlf").write_text(XLIFF)
    for threshold, state, decision in (
        (2.0, False, "approve (score at most 2)"),
        (-1.0, True, "review (score above -1)"),
    ):
        write_policy(known, {"en-de": GroupPolicy(threshold)}, by="lp")
        options = ["--policy", "p.json", "--overwrite", *(["--set-state"] if state else [])]
        assert score(known, "d.xlf", "-o", "out.xlf", *options) == 0
        text = Path("out.xlf").read_text()
        assert f'</target><note from="kiwi-decision" annotates="target">decision: {decision}</note>' in text
        assert ('state="needs-review-translation"' in text) is state


def test_flags_that_are_not_written_need_a_person(
    place: Path, system: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy approves no copy of the source, whether or not flags are written."""
    write_policy(system, {"": GroupPolicy(1.0)})
    Path("t").write_text("das Haus .\na bank\ndie Bank .\n")
    rows = [line.split("\t") for line in Path("t.tsv").read_text().splitlines()]
    rows[2][1] = "a bank"
    Path("t.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    for option in ("--no-flags", "--scores-only"):
        assert score(system, *FILES, "--policy", "p.json", "--format", "jsonl", option) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["decision"] for line in lines] == ["approve", "review", "approve"]
        assert lines[1]["decision_reason"].startswith("flags: ")
        assert "flags" not in lines[1]
        assert score(system, "t.tsv", "-o", "out.tsv", "--policy", "p.json", "--overwrite", option) == 0
        capsys.readouterr()
        header, *found = [line.split("\t") for line in Path("out.tsv").read_text().splitlines()]
        assert [row[header.index("decision")] for row in found] == ["approve", "review", "approve"]
        assert "flags" not in header


PO = """msgid ""
msgstr "Language: de\\nContent-Type: text/plain; charset=UTF-8\\n"

msgid "a bank"
msgstr "eine Bank"

msgid "the bank"
msgstr "die Bank"
"""


def test_feedback_from_end_to_end(text_system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PO says its target language only; --languages gives the pair of the policy, in scoring and in feedback."""
    monkeypatch.chdir(tmp_path)
    known = Path(shutil.copytree(text_system, "known"))
    set_score_of(known, "kind=hter")
    write_policy(known, {"en-de": GroupPolicy(2.0)}, by="lp")
    Path("d.po").write_text(PO)
    options = ["d.po", "-o", "scored.po", "--policy", "p.json", "--audit", "1"]
    assert score(known, *options) == 0
    assert "# kiwi decision: review (the policy has no lp '-de')" in Path("scored.po").read_text()
    assert score(known, *options, "--languages", "en,de", "--overwrite") == 0
    text = Path("scored.po").read_text()
    assert text.count("# kiwi decision: review (audit)") == 2
    Path("edited.po").write_text(text.replace("die Bank", "das Ufer"))
    arguments = ["p.json", "--feedback", "edited.po", "--target", "scored.po", "--languages", "en,de", "--quiet"]
    assert run(lambda: app(["route", "update", *arguments], standalone_mode=False)) == 0
    policy = Policy.read(Path("p.json"))
    assert policy.counted("en-de") == Counts(approved=2, drawn=2, audited=2, errors=1)
    # A group that is withdrawn is reviewed, in documents too.
    write_policy(known, {"en-de": GroupPolicy(2.0, withdrawn="1 of 2"), "en-fr": GroupPolicy(2.0)}, by="lp")
    assert score(known, *options, "--languages", "en,de", "--overwrite") == 0
    assert Path("scored.po").read_text().count("# kiwi decision: review (withdrawn: 1 of 2)") == 2
