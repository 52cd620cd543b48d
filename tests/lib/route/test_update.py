"""``kiwi route update``."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiwi.cli import app, run
from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.data.documents.parts import Segment
from kiwi.data.documents.rating import Rating
from kiwi.data.labels.policy import DECISION, REASON, Acceptable, Counts, GroupPolicy, Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.route import FeedbackInput, UpdateInfo, update_policy

POLICY = Policy(
    model="a" * 64,
    score=ScoreMeaning("hter", False, (0.0, 1.0)),
    acceptable=Acceptable("hter", "<=", 0.3),
    risk=0.1,
    confidence=0.9,
    groups={"": GroupPolicy(0.25, "", 100, 50, 1, 0.07)},
)
BY_PAIR = replace(
    POLICY, by="lp", groups={"en-de": GroupPolicy(0.25), "en-fr": GroupPolicy(0.5), "en-cs": GroupPolicy(None)}
)
APPROVED, DRAWN, REVIEWED = ("approve", "score at most 0.25"), ("review", "audit"), ("review", "score above 0.25")
HEADER = ["source", "target", "post_edit", "decision", "decision_reason"]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_policy(policy: Policy = POLICY) -> None:
    Path("p.json").write_text(json.dumps(policy.to_dict()))


def rows(n: int, decided: tuple[str, str], *, edited: bool = False, start: int = 0, name: str = "s") -> list[list[str]]:
    """Rows whose translations were accepted or, if edited, written anew."""
    return [
        [f"{name} {i}", f"eins zwei {name} {i}", "ganz anders" if edited else f"eins zwei {name} {i}", *decided]
        for i in range(start, start + n)
    ]


def table(content: Sequence[Sequence[str]], file: str = "f.tsv", header: Sequence[str] = HEADER) -> Path:
    Path(file).write_text("".join("\t".join(row) + "\n" for row in [header, *content]))
    return Path(file)


def update(path: Path, **how: Any) -> UpdateInfo:
    options = {name: how.pop(name) for name in ("output", "tokenizer", "overwrite") if name in how}
    info = update_policy("p.json", FeedbackInput(path, **how), **options)
    assert Policy.read(info.path) == info.policy
    return info


def test_certified_again(caplog: pytest.LogCaptureFixture) -> None:
    """.9 ** 29 = .047 is at most .05, the share of the first look. What was not audited says nothing."""
    write_policy()
    content = [*rows(300, APPROVED), *rows(29, DRAWN, start=300), *rows(50, REVIEWED, edited=True, start=400)]
    content[310][2] = ""  # an audited segment that is not finished
    content += [["s", "t", "u", "review", "audit"], ["u", "v", "w", "review", "flags: numbers"]]
    content[-2][1:3] = ["eins zwei drei", "eins zwei drei"]
    content += rows(3, ("", ""), start=500)
    info = update(table(content))
    (verdict,) = info.verdicts.values()
    assert (verdict.outcome, verdict.n, verdict.errors) == ("certified again", 29, 0)
    assert info.policy.counted("") == Counts(approved=330, drawn=30, audited=29, errors=0)
    assert info.policy.groups == POLICY.groups
    (entry,) = info.policy.feedback
    assert (entry.file, entry.outcomes, len(entry.segments)) == ("f.tsv", {"": "certified again"}, 29)
    assert len(entry.sha256) == 64
    assert entry.date[:2] == "20"
    assert "1 of the segments that were drawn for audit are not counted (no final translation: 1)" in caplog.text
    assert "as the machine made them" in caplog.text
    assert "f.tsv: 3 segments have no decision, and are not counted" in caplog.text
    assert info.rows() == [
        ["all", "330", "30 (9.1%)", "29", "0", "0.0000", f"0.0000 to {verdict.upper:.4f}", "certified again"]
    ]


def test_withdrawn_and_undecided() -> None:
    """P(Bin(29, .1) >= 7) = .018 is less than .05; P(Bin(29, .1) >= 4) = .33 is not."""
    write_policy()
    info = update(table([*rows(25, DRAWN), *rows(4, DRAWN, edited=True, start=25)]))
    assert info.verdicts[""].outcome == "undecided"
    assert info.policy.groups[""].approves
    assert info.rows()[0][-1] == f"undecided; certified with {info.verdicts[''].needed} more without an error"
    # A second look has the level .1 / 6, and all feedback together: P(Bin(39, .1) >= 14) is less.
    info = update(table(rows(10, DRAWN, edited=True, start=100), "g.tsv"))
    assert info.verdicts[""].outcome == "withdrawn"
    assert not info.policy.groups[""].approves
    assert info.policy.is_withdrawn
    assert info.rows()[0][-1] == "withdrawn"
    decision = info.policy.decide(0.1)
    assert decision.decision == "review"
    assert decision.reason.startswith(
        "withdrawn: 14 of 39 audited segments were not acceptable, which is a risk of at least 0."
    )
    with pytest.raises(ConfigError, match="p: found a policy that is withdrawn: 14 of 39 audited"):
        info.policy.check_in_force("p")
    # It stays withdrawn, whatever comes in later.
    info = update(table(rows(900, DRAWN, start=200), "h.tsv"))
    assert info.verdicts[""].outcome == "certified again"
    assert info.policy.is_withdrawn
    assert info.policy.feedback[-1].outcomes == {"": "withdrawn"}
    assert info.rows()[0][-1] == "withdrawn"


def test_groups() -> None:
    """Each group has its own evidence, and a third of the probability of an error (Bonferroni)."""
    write_policy(BY_PAIR)
    header = [*HEADER, "lang"]
    content = [[*row, "en-de"] for row in rows(38, DRAWN)]
    content += [[*row, "en-fr"] for row in rows(30, DRAWN, edited=True)]
    content += [["a", "b", "c", "review", "no threshold is certified: needs 22", "en-cs"]]
    content += [["a", "b", "c", "review", "the policy has no lp 'x'", "x"]]
    info = update(table(content, header=header), columns={"group": "lang"})
    # .9 ** 38 = .0182 is more than .1 / 6 = .0167.
    assert {name: each.outcome for name, each in info.verdicts.items()} == {"en-de": "undecided", "en-fr": "withdrawn"}
    assert [row[-1] for row in info.rows()][1:] == ["withdrawn", "no threshold"]
    assert info.policy.decide(0.1, "en-de").decision == "approve"
    assert info.policy.decide(0.1, "en-fr").reason.startswith("withdrawn: 30 of 30")
    info.policy.check_in_force("p")
    info = update(
        table([[*row, "en-fr"] for row in rows(1, DRAWN, start=900)], "g.tsv", header), columns={"group": "lang"}
    )
    assert info.rows()[0][-1] == "nothing new"


def test_texts_count_once(caplog: pytest.LogCaptureFixture) -> None:
    """Copies of a segment are drawn together, and are no independent evidence; a later file may have an earlier one."""
    write_policy()
    first = rows(5, DRAWN)
    twice = [*first, *first[:3], [*first[0][:2], "ganz anders", *DRAWN]]
    info = update(table(twice))
    assert info.policy.counted("") == Counts(approved=5, drawn=5, audited=5, errors=1)
    info = update(table([*first, *rows(2, DRAWN, start=50)], "g.tsv"))
    assert info.policy.counted("") == Counts(approved=7, drawn=7, audited=7, errors=1)
    assert "5 audited segments were counted before" in caplog.text
    with pytest.raises(DataError, match=r"h\.tsv: found 3 audited segments, all of which were counted before"):
        update(table(first[:3], "h.tsv"))


def test_a_file_is_counted_once() -> None:
    write_policy()
    path = table(rows(5, DRAWN))
    update(path)
    Path("copy.tsv").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"copy\.tsv: found feedback that was counted on 20.*, as f\.tsv; expected"):
        update(Path("copy.tsv"))
    write_policy(replace(POLICY, notes={"sha256": {"x": Policy.read(Path("p.json")).feedback[0].sha256}}))
    with pytest.raises(DataError, match="found the calibration data of the policy"):
        update(path)


def test_judgements() -> None:
    """Other measures than HTER need a column of judgements: numbers, or error spans."""
    header = ["source", "target", "mine", "decision", "decision_reason"]
    content = [*rows(30, DRAWN), *rows(1, APPROVED, start=40)]
    for row, cell in zip(content, ["0:1:major", "0:1:minor", "nan", "", *["-"] * 30], strict=False):
        row[2] = cell
    write_policy(replace(POLICY, acceptable=Acceptable.parse("no major")))
    info = update(table(content, header=header), columns={"gold": "mine"})
    assert info.policy.counted("") == Counts(approved=31, drawn=30, audited=28, errors=1)
    write_policy(replace(POLICY, acceptable=Acceptable.parse("da >= 70")))
    for row, cell in zip(content, ["69.9", "70", "nan", "", *["100"] * 30], strict=False):
        row[2] = cell
    info = update(table(content, header=header), columns={"gold": "mine"})
    assert info.policy.counted("").errors == 1
    content[1][2] = "good"
    write_policy(replace(POLICY, acceptable=Acceptable.parse("da >= 70")))
    with pytest.raises(DataError, match=r"f\.tsv, line 3: found 'good'; expected a finite number"):
        update(table(content, header=header), columns={"gold": "mine"})
    # An HTER that is given is taken in the place of the edits.
    write_policy()
    for row in content:
        row[2] = "0.31"
    assert update(table(content, header=header), columns={"gold": "mine"}).policy.counted("").errors == 30


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json"])
def test_other_tables(suffix: str) -> None:
    write_policy()
    content = [dict(zip(HEADER, row, strict=True)) for row in [*rows(3, DRAWN), *rows(2, DRAWN, edited=True, start=9)]]
    lines = {
        "csv": "\n".join(",".join(f'"{cell}"' for cell in row) for row in [HEADER, *(row.values() for row in content)]),
        "jsonl": "\n".join(map(json.dumps, content)),
        "json": json.dumps(content),
    }
    Path(f"f.{suffix}").write_text(lines[suffix] + "\n")
    assert update(Path(f"f.{suffix}")).policy.counted("") == Counts(5, 5, 5, 2)


def bad(message: str, content: Sequence[Sequence[str]], header: Sequence[str] = HEADER, **how: Any) -> None:
    with pytest.raises((DataError, ConfigError), match=message):
        update(table(content, header=header), **how)
    assert not Policy.read(Path("p.json")).feedback


def test_feedback_that_does_not_match() -> None:
    write_policy()
    bad("found 2 segments without a decision; expected decisions of kiwi score --policy", rows(2, ("", "")))
    bad("line 1: found no column 'decision'.* Give the table that kiwi score --policy wrote", [["a"] * 3], HEADER[:3])
    bad(r"found 5 segments with a decision, none of which was approved and drawn.*--audit SHARE", rows(5, APPROVED))
    bad("none of which was approved and drawn", rows(5, REVIEWED))
    bad(
        r"line 3: found 'score at most 0.3'; expected 'score at most 0.25'. The decisions are those of another",
        [*rows(1, DRAWN), *rows(1, ("approve", "score at most 0.3"), start=1)],
    )
    bad(r"line 2: found 'score below 70'; expected 'score above 0.25'", rows(1, ("review", "score below 70")))
    bad("line 2: found the decision 'ok'; expected approve or review", rows(1, ("ok", "")))
    unfinished = [[*row[:2], "", *row[3:]] for row in rows(3, DRAWN)]
    bad(
        r"found 3 segments that were drawn for audit, none of which can be used \(no final translation: 3\)", unfinished
    )
    bad(
        "no column 'post_edit'.* Name it with --columns, such as --columns post_edit=NAME",
        [["a"] * 4],
        ["source", "target", "decision", "decision_reason"],
    )
    write_policy(replace(POLICY, groups={"": GroupPolicy(None, "needs 22")}))
    bad(
        "line 2: found a translation that was approved; expected none, since the policy has no threshold",
        rows(1, DRAWN),
    )
    write_policy(BY_PAIR)
    content = [[*row, "en-ru"] for row in rows(1, DRAWN)]
    bad("line 2: found a translation in lp 'en-ru' that was approved", content, [*HEADER, "group"])
    bad("no column 'group'.* a threshold for each lp: name its column, such as --columns group=lp.$", rows(1, DRAWN))
    bad("no column 'target'.* such as --columns target=NAME", rows(1, DRAWN), ["source", "mt", *HEADER[2:], "group"])


def test_a_table_with_semicolons_that_lacks_a_column() -> None:
    write_policy()
    names = ["source", "target", "sentence_scores (da, higher is better)", "decision", "decision_reason"]
    Path("f.csv").write_text(";".join(names) + "\na;b;1;approve;score\n")
    with pytest.raises(
        DataError, match=r"line 1: found no column 'post_edit'; expected one\. Known: .*, source, target\. Name"
    ):
        update(Path("f.csv"))


def test_options_that_do_not_fit() -> None:
    write_policy()
    content = rows(3, DRAWN)
    bad("--columns: 'golden' is not a field", content, columns={"golden": "x"})
    bad("--columns: found the same column for several fields", content, columns={"source": "x", "target": "x"})
    bad("--columns group: not used, because the policy has no groups", content, columns={"group": "x"})
    bad("--columns post_edit: not used, because judgements are read", content, columns={"gold": "x", "post_edit": "y"})
    bad("--target: for files of translators", content, target=Path("x"))
    bad("--mt-origin: for files of translators", content, machine="x")
    bad("--languages: found 1", content, languages=("en",))
    bad(r"language of the translations is not known.*--languages SOURCE,TARGET", [["a, b.", "c, d.", "c, d.", *DRAWN]])
    bad("language of the translations is not known", [["a", "b", "b", *DRAWN]], tokenizer="moses")
    Path("d.xlf").write_text("<xliff/>")
    with pytest.raises(ConfigError, match=r"--columns names columns of a table, but d\.xlf is XLIFF"):
        update(Path("d.xlf"), columns={"source": "x"})
    with pytest.raises(ConfigError, match="--mt-origin chooses from those in the feedback, but --target"):
        update(Path("d.xlf"), machine="x", target=Path("y"))
    write_policy(replace(BY_PAIR, by="domain"))
    with pytest.raises(ConfigError, match="a threshold for each domain, which XLIFF does not say"):
        update(Path("d.xlf"))
    write_policy(replace(POLICY, acceptable=Acceptable.parse("no major")))
    with pytest.raises(
        ConfigError, match=r"takes 'no major' for acceptable, which XLIFF does not say.*--columns gold="
    ):
        update(Path("d.xlf"))
    write_policy()
    with pytest.raises(ConfigError, match=r"gone\.tsv: cannot be read"):
        update(Path("gone.tsv"))
    Path("d.xlf").write_text(DOCUMENTS["d.xlf"])
    with pytest.raises(ConfigError, match=r"gone\.xlf: cannot be read.*Check --target"):
        update(Path("d.xlf"), target=Path("gone.xlf"))
    Path("SHA256SUMS").write_text(f"{'a' * 64}  p.json\n")
    Path("model.safetensors").touch()
    with pytest.raises(ConfigError, match=r"p\.json: would be written into the system in \., .*kiwi publish"):
        update(table(content))
    Path("SHA256SUMS").unlink()
    with pytest.raises(ConfigError, match="would be written over, but this command reads it"):
        update(table(content), output="f.tsv")


DOCUMENTS = {
    "d.xlf": """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en-US" target-language="de-DE" original="a" datatype="x"><body>
<trans-unit id="1"><source>One, two.</source><target>Eins, zwei.</target></trans-unit>
<trans-unit id="2"><source>A. B.</source>
<seg-source><mrk mtype="seg" mid="a">A.</mrk> <mrk mtype="seg" mid="b">B.</mrk></seg-source>
<target><mrk mtype="seg" mid="a">Erster Satz.</mrk> <mrk mtype="seg" mid="b">Zweiter Satz.</mrk></target></trans-unit>
</body></file></xliff>
""",
    "e.xlf": """<xliff version="2.1" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang="en" trgLang="de">
<file id="f"><unit id="1"><segment><source>One, two.</source><target>Eins, zwei.</target></segment></unit>
<unit id="2"><segment><source>A.</source><target>Erster Satz.</target></segment>
<segment><source>B.</source><target>Zweiter Satz.</target></segment></unit>
</file></xliff>
""",
    "d.tmx": """<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en"><seg>One, two.</seg></tuv><tuv xml:lang="de"><seg>Eins, zwei.</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>A.</seg></tuv><tuv xml:lang="de"><seg>Erster Satz.</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>B.</seg></tuv><tuv xml:lang="de"><seg>Zweiter Satz.</seg></tuv></tu></body></tmx>
""",
    "d.po": """msgid ""
msgstr "Language: de\\nContent-Type: text/plain; charset=UTF-8\\n"

msgid "One, two."
msgstr "Eins, zwei."

msgid "A."
msgid_plural "B."
msgstr[0] "Erster Satz."
msgstr[1] "Zweiter Satz."
""",
}


def scored(name: str, decisions: Sequence[tuple[str, str]], *, system: str = "a" * 64) -> Path:
    """Write a document with decisions, as ``kiwi score --policy`` does."""
    left = list(decisions)

    def score(segments: Sequence[Segment]) -> list[dict[str, Any]]:
        found = [left.pop(0) for _ in segments]
        return [{"sentence_scores": 0.1, DECISION: decision, REASON: reason} for decision, reason in found]

    source, path = Path(f"raw-{name}"), Path(f"scored-{name}")
    source.write_text(DOCUMENTS[name])
    output = io.BytesIO()
    require_format(source).copy(source, output, HowToRead(Rating(f"sha256:{system}")), score, 100)
    path.write_bytes(output.getvalue())
    return path


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("keeps_notes", [True, False])
def test_documents(name: str, keeps_notes: bool) -> None:
    """The first segment was drawn and kept, the second one drawn and edited, the third one approved."""
    write_policy(BY_PAIR)
    path = scored(name, [DRAWN, DRAWN, APPROVED])
    # A tool that drops what it does not know leaves the decisions in the file before post-editing.
    edited = path.read_text() if keeps_notes else DOCUMENTS[name]
    Path(name).write_text(edited.replace("Erster Satz.", "Ein ganz anderer."))
    languages = ("en", "de") if name == "d.po" else ()
    info = update(Path(name), target=path, languages=languages)
    assert info.policy.counted("en-de") == Counts(approved=3, drawn=2, audited=2, errors=1)
    assert info.tally.n_undecided == 0


def test_machine_translations_in_the_document() -> None:
    write_policy(BY_PAIR)
    path = scored("d.xlf", [DRAWN, REVIEWED, APPROVED])
    mt = '<alt-trans origin="MT"><target>Eins, zwei.</target></alt-trans></trans-unit>\n<trans-unit id="2">'
    text = path.read_text().replace('</trans-unit>\n<trans-unit id="2">', mt)
    Path("d.xlf").write_text(text.replace(">Eins, zwei.</target><note", ">Etwas ganz anderes.</target><note"))
    info = update(Path("d.xlf"))
    assert info.policy.counted("en-de") == Counts(approved=2, drawn=1, audited=1, errors=1)
    Path("e.xlf").write_text(path.read_text())
    write_policy(BY_PAIR)
    with pytest.raises(
        DataError, match=r"none of which can be used \(no machine translation \(no candidate; give the scored"
    ):
        update(Path("e.xlf"))


def test_documents_of_others() -> None:
    write_policy(BY_PAIR)
    path = scored("d.xlf", [DRAWN, APPROVED, REVIEWED], system="b" * 64)
    Path("d.xlf").write_text(path.read_text().replace("Eins", "Ein"))
    with pytest.raises(ConfigError, match="found scores of the system bbbbbbbbbbbb; expected those of aaaaaaaaaaaa"):
        update(Path("d.xlf"), target=path)
    # The checkpoint of an exported system signs the scores.
    write_policy(replace(BY_PAIR, notes={"checkpoint": "b" * 64}))
    assert update(Path("d.xlf"), target=path).policy.counted("en-de").audited == 1
    write_policy(BY_PAIR)
    path = scored("d.xlf", [DRAWN, APPROVED, REVIEWED])
    Path("same.xlf").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"same\.xlf: found the same content as in scored-d\.xlf"):
        update(Path("same.xlf"), target=path)
    Path("d.xlf").write_text(path.read_text().replace("<target", '<target state="needs-review-translation"'))
    with pytest.raises(DataError, match=r"a translation that nobody has confirmed \(state="):
        update(Path("d.xlf"), target=path)
    Path("raw.xlf").write_text(DOCUMENTS["d.xlf"])
    with pytest.raises(DataError, match="found 3 segments without a decision"):
        update(Path("raw.xlf"))


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    write_policy()
    path = table([*rows(25, DRAWN), *rows(4, DRAWN, edited=True, start=25)])
    arguments = ["route", "update", "p.json", "--feedback", str(path), "-o", "q.json"]
    assert run(lambda: app(arguments, standalone_mode=False)) == 0
    shown = capsys.readouterr().out
    assert "undecided" in shown
    assert shown.endswith("q.json\n")
    assert not Policy.read(Path("p.json")).feedback
    assert Policy.read(Path("q.json")).counted("") == Counts(29, 29, 29, 4)
    assert run(lambda: app([*arguments[:2], "q.json", *arguments[3:5]], standalone_mode=False)) == 3
    assert "was counted on" in capsys.readouterr().err


def test_other_feedback_is_not_replaced() -> None:
    write_policy()
    first = table(rows(5, DRAWN), "first.tsv")
    second = table(rows(5, DRAWN, start=5), "second.tsv")
    update_policy("p.json", FeedbackInput(first), output="q.json")
    before = Path("q.json").read_bytes()
    update_policy("p.json", FeedbackInput(first), output="q.json")
    assert Path("q.json").read_bytes() == before
    with pytest.raises(ConfigError, match=r"q\.json: found a policy with feedback of 1 file that the new one lacks"):
        update_policy("p.json", FeedbackInput(second), output="q.json")
    assert Path("q.json").read_bytes() == before
    update_policy("q.json", FeedbackInput(second))
    assert len(Policy.read(Path("q.json")).feedback) == 2
    update_policy("p.json", FeedbackInput(second), output="q.json", overwrite=True)
    assert [each.file for each in Policy.read(Path("q.json")).feedback] == ["second.tsv"]
