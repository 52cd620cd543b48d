"""``kiwi corpus`` on files of translators."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.corpus import CorpusInfo, CorpusOptions, Input, make_corpus

ROWS = [
    ("the red house .", "das rote Haus .", "das rote Haus ."),
    ("open the door .", "öffnen das Tür .", "öffne die Tür ."),
    ("close the door now .", "schließe Tür .", "schließe jetzt die Tür ."),
    ("good day .", "gute Tag .", "guten Tag ."),
    ("one more line .", "noch eine Zeile da .", "noch eine Zeile ."),
    ("and the last .", "und das Ende .", "und die letzte ."),
]

OPTIONS = CorpusOptions(source_tags="none", align=False, dev=0, test=0, processes=1)


def unit(number: int, state: str = "translated", attributes: str = "", origin: str = "mt") -> str:
    source, target, post_edit = ROWS[number]
    return (
        f'<trans-unit id="{number}" {attributes}><source>{source}</source><target state="{state}">{post_edit}</target>'
        f'<alt-trans origin="{origin}"><target>{target}</target></alt-trans></trans-unit>\n'
    )


def xliff(place: Path, *files: list[str], languages: str = "de de", name: str = "a.xlf") -> Path:
    parts = [
        f'<file original="{number}.html" source-language="en" target-language="{language}" datatype="html"><body>\n'
        f"{''.join(units)}</body></file>\n"
        for number, (units, language) in enumerate(zip(files, languages.split(), strict=False))
    ]
    place.mkdir(exist_ok=True)
    content = f'<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">\n{"".join(parts)}</xliff>'
    (place / name).write_text(content, encoding="utf-8")
    return place / name


def tmx(place: Path) -> Path:
    units = "".join(
        f'<tu><tuv xml:lang="en"><seg>{source}</seg></tuv><tuv xml:lang="de"><seg>{post_edit}</seg></tuv></tu>\n'
        for source, _, post_edit in ROWS
    )
    (place / "a.tmx").write_text(f'<tmx><header srclang="en"/><body>\n{units}</body></tmx>', encoding="utf-8")
    return place / "a.tmx"


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def make(place: Path, segments: Input, **options: Any) -> CorpusInfo:
    return make_corpus(place / "corpus", segments, OPTIONS.__class__(**{**vars(OPTIONS), **options}))


def lines(place: Path, name: str) -> list[str]:
    return (place / "corpus" / name).read_text(encoding="utf-8").removesuffix("\n").split("\n")


def record(place: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((place / "corpus" / "corpus.json").read_text(encoding="utf-8"))
    return content


LEFT_OUT = [unit(0), unit(1, "new"), unit(2, attributes='translate="no"'), unit(3, origin="memory"), unit(4), unit(5)]


def test_units_that_are_left_out_are_counted_and_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="kiwi")
    path = xliff(tmp_path, [*LEFT_OUT[:4], unit(4).replace(ROWS[4][2], ""), unit(5)])
    make(tmp_path, Input(table=path))
    assert [lines(tmp_path, f"train.{suffix}") for suffix in ("src", "mt", "pe")] == [
        list(column) for column in zip(ROWS[0], ROWS[5], strict=True)
    ]
    assert [line.split("\t")[:3] for line in lines(tmp_path, "dropped.tsv")[1:]] == [
        ["4", "unconfirmed", 'state="new"'],
        ["5", "translate-no", 'a unit that is not to be translated (translate="no")'],
        ["6", "no-mt", "1 candidate, from memory"],
        ["7", "untranslated", "a unit without a translation that a person has made"],
    ]
    found = record(tmp_path)
    assert (found["source_language"], found["target_language"]) == ("en", "de")
    assert found["machine_translations"] == {"mt": 2}
    assert {rule: n for rule, n in found["counts"]["dropped"].items() if n} == dict.fromkeys(
        ("unconfirmed", "translate-no", "no-mt", "untranslated"), 1
    )
    assert found["post_edits"] == "post-edits"
    page = (tmp_path / "corpus" / "report.html").read_text(encoding="utf-8")
    assert "a translation that nobody has confirmed" in page
    assert "machine translations of mt" in page
    expected = (
        "6 units, machine translations from mt (2). Of the 2 segments that were kept, 1 were not edited (HTER 0)."
    )
    assert expected in caplog.text
    assert "--keep unconfirmed takes translations that nobody has confirmed." in caplog.text


def test_rules_of_units_can_be_switched_off(tmp_path: Path) -> None:
    path = xliff(tmp_path, LEFT_OUT)
    make(tmp_path, Input(table=path, machine="memory"), keep=frozenset({"unconfirmed", "translate-no"}))
    assert lines(tmp_path, "train.src") == [ROWS[3][0]]
    make(tmp_path / "b", Input(table=xliff(tmp_path / "b", LEFT_OUT)), keep=frozenset({"unconfirmed", "translate-no"}))
    assert lines(tmp_path / "b", "train.src") == [row[0] for number, row in enumerate(ROWS) if number != 3]


def test_an_empty_translation_may_mean_that_nothing_was_edited(tmp_path: Path) -> None:
    path = xliff(tmp_path, [unit(1).replace(ROWS[1][2], ""), unit(2)])
    make(tmp_path, Input(table=path), empty_is_unedited=True)
    assert lines(tmp_path, "train.pe") == [ROWS[1][1], ROWS[2][2]]


def test_documents_stay_together(tmp_path: Path) -> None:
    path = xliff(tmp_path, [unit(0), unit(1), unit(2)], [unit(3), unit(4), unit(5)])
    make(tmp_path, Input(table=path, columns={"group": "file", "ids": "id"}), dev=3)
    assert sorted([lines(tmp_path, "train.ids"), lines(tmp_path, "dev.ids")]) == [list("012"), list("345")]


def test_compressed_files(tmp_path: Path) -> None:
    path = xliff(tmp_path, [unit(1)])
    packed = tmp_path / "a.xlf.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    make(tmp_path, Input(table=packed))
    assert lines(tmp_path, "train.mt") == [ROWS[1][1]]


def test_languages(tmp_path: Path) -> None:
    path = xliff(tmp_path, [unit(0), unit(1)], [unit(2)], languages="de fr")
    with pytest.raises(
        DataError, match=r"a\.xlf, line 7: found a unit whose target is in fr; expected de, as in line 3"
    ):
        make(tmp_path, Input(table=path))
    make(tmp_path, Input(table=path, languages=("en", "de")))
    assert record(tmp_path)["counts"]["dropped"]["language"] == 1
    assert lines(tmp_path, "dropped.tsv")[1].split("\t")[:3] == ["7", "language", "from en to fr"]
    with pytest.raises(ConfigError, match=r"--target-language: found 'cs', but .*a\.xlf, line 3, says de"):
        make(tmp_path / "b", Input(table=xliff(tmp_path / "b", [unit(0)])), target_language="cs")


def test_machine_translations_in_another_file(tmp_path: Path) -> None:
    target = write(tmp_path / "mt.txt", [row[1] for row in ROWS])
    given = Input({"target": target}, tmx(tmp_path))
    make(tmp_path, given)
    assert lines(tmp_path, "train.mt") == [row[1] for row in ROWS]
    assert record(tmp_path)["post_edits"] == "references"
    assert record(tmp_path)["input"]["target"] == str(target)
    page = (tmp_path / "corpus" / "report.html").read_text(encoding="utf-8")
    assert "References stand in for post-edits." in page
    (tmp_path / "b").mkdir()
    make(tmp_path / "b", given, references=False)
    assert record(tmp_path / "b")["post_edits"] == "post-edits"


def test_another_version_of_the_file(tmp_path: Path) -> None:
    path = xliff(tmp_path, [unit(0), unit(1)], [unit(0)])
    before = [unit(number).replace(f">{ROWS[number][2]}<", f">before {number}<") for number in (0, 1)]
    given = Input({"target": xliff(tmp_path, before, before[:1], name="b.xlf")}, path)
    make(tmp_path, given, keep=frozenset({"unrelated", "duplicate"}))
    assert lines(tmp_path, "train.mt") == ["before 0", "before 1", "before 0"]
    assert record(tmp_path)["post_edits"] == "post-edits"
    for others, message in (
        ([before, []], r"b\.xlf: found no more units; expected 1.html/0 \(the red house .\), as in .*a\.xlf, line 7"),
        ([before[1:], before[:1]], r"b\.xlf, line 3: found the unit 0.html/1 .*; expected 0.html/0 "),
    ):
        with pytest.raises(DataError, match=message):
            make(tmp_path / "x", Input({"target": xliff(tmp_path, *others, name="b.xlf")}, path))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("change", [-1, 1])
def test_lines_that_do_not_match_the_units(change: int, tmp_path: Path) -> None:
    target = write(tmp_path / "mt.txt", ([row[1] for row in ROWS] + ["more"])[: 6 + change])
    message = rf"mt\.txt: found {6 + change} lines; expected 6, one for each unit of .*a\.tmx"
    with pytest.raises(DataError, match=message):
        make(tmp_path, Input({"target": target}, tmx(tmp_path)))
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ([], "found no unit; expected units with a machine translation"),
        (
            [unit(0, origin="tm")],
            "1 units, none of which .* .no-mt 1; 1 candidate, from tm.; .* with --mt-origin",
        ),
        ([unit(0, "new"), unit(1, "new")], "unconfirmed 2; state=.new..; expected .* --keep unconfirmed takes them"),
        (["<trans-unit"], "not well-formed"),
    ],
)
def test_files_without_a_unit_that_can_be_used(units: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        make(tmp_path, Input(table=xliff(tmp_path, units)))
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"files": {"source": "s"}}, "--source: a.xlf is XLIFF, which has these texts itself"),
        ({"columns": {"source": "src"}}, "--columns names columns of a table, but a.xlf is XLIFF. Remove source."),
        ({"columns": {"group": "document"}}, "--group: a.xlf is XLIFF; found 'document'; expected file, id, user."),
        ({"has_header": False}, "--no-header: a.xlf is XLIFF"),
        ({"languages": ("en",)}, "--languages: found 1; expected the languages of source and target"),
        ({"files": {"target": "t"}, "machine": "mt"}, "--mt-origin chooses from those in FILE, but --target"),
        ({"table": "a.csv", "machine": "mt"}, "--mt-origin: for files of translators; a.csv is CSV"),
        ({"table": "a.csv", "languages": ("en", "de")}, "--languages: for files of translators; a.csv is CSV"),
        ({"table": "a.json", "has_header": False}, "--no-header: a.json is JSON, which has no line of column names"),
        ({"table": "a.po", "languages": ("en", "de")}, "--languages: a.po is PO, which has one language"),
        ({"table": "a.xlif"}, "found the suffix '.xlif'; expected that of a format: .* Did you mean '.xliff'"),
        ({"table": None, "machine": "mt"}, "--mt-origin: for a file with all texts, such as XLIFF or CSV"),
    ],
)
def test_options_that_do_not_fit(given: dict[str, Any], message: str) -> None:
    table = given.get("table", "a.xlf")
    files = {name: Path(path) for name, path in given.get("files", {}).items()}
    segments = Input(**{**given, "files": files, "table": None if table is None else Path(table)})
    with pytest.raises(ConfigError, match=message):
        segments.check()


def test_a_unit_without_a_user(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"a\.xlf, line 3: found a unit without 'user'; expected one\. Remove --annotator"
    ):
        make(tmp_path, Input(table=xliff(tmp_path, [unit(0)]), columns={"annotator": "user"}))


def test_rows_on_one_line_have_segments_with_the_highest_hter(tmp_path: Path) -> None:
    names = ("source", "target", "post_edit")
    rows = [dict(zip(names, row, strict=True)) for row in [*ROWS, ("again .", *ROWS[1][1:])]]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    info = make(tmp_path, Input(table=tmp_path / "a.json"), source_language="en", target_language="de")
    assert len(info.summary.edits.worst()) == 6
