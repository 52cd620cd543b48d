"""The best candidate of each source."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from kiwi.cli import app
from kiwi.data.segments.bad_rows import BadRows
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.score import BestOf, Input, score_best
from kiwi.lib.score.best_of import choose
from kiwi.lib.score.calibration import calibrate
from kiwi.lib.score.calibration.data import CalibrationFiles
from kiwi.runner import load_system
from tests.lib.test_compare import known, table, written
from tests.lib.test_score_document import system

__all__ = ["known", "system"]  # fixtures

SOURCE = ["Close the bank .", "Open the window ."]
CANDIDATES = [
    ["Schließen Sie die Bank .", "Bank .", "Schließen Sie die Bank ."],
    ["Öffnen Sie", "Öffnen Sie das Fenster nicht .", "Fenster"],
]
FLAT = [text for texts in CANDIDATES for text in texts]
REPEATED = [text for text in SOURCE for _ in range(3)]


@pytest.mark.parametrize(
    ("scores", "sign", "expected"),
    [
        ([0.3, 0.1, 0.2], -1, (1, 0.1)),
        ([0.3, 0.1, 0.2], 1, (0, 0.1)),
        ([0.1, 0.3, 0.3], 1, (1, 0.0)),  # of equal ones, the first
        ([0.1, 0.3, 0.1], -1, (0, 0.0)),
        ([math.nan, 2.0, 1.5], 1, (1, 0.5)),
        ([math.nan, 2.0], 1, (1, math.nan)),
        ([math.nan, math.nan], 1, (None, math.nan)),
    ],
)
def test_choosing_by_hand(scores: list[float], sign: int, expected: tuple[int | None, float]) -> None:
    assert choose(scores, sign) == pytest.approx(expected, nan_ok=True)


def best(
    model: Path, segments: Input, text: str, targets: tuple[str, ...] = (), **options: Any
) -> list[dict[str, Any]]:
    output = io.StringIO()
    best_of = BestOf.parse(text, segments, targets)
    score_best(model, segments, output, best_of=best_of, form="jsonl", scores_only=True, **options)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def expected(model: Path, sign: int = -1) -> list[dict[str, Any]]:
    found = []
    for source, texts in zip(SOURCE, CANDIDATES, strict=True):
        scores = load_system(model).predict([source] * 3, texts).sentences_hter
        assert scores is not None
        ranked = sorted((-sign * round(score, 6), index) for index, score in enumerate(scores))
        (first, index), (second, _), _ = ranked
        cells = {"target": texts[index], "candidate": index + 1, "candidates": 3, "margin": second - first}
        found.append(cells | {"sentence_scores": -sign * first})
    return found


def same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    return len(found) == len(wanted) and all(
        {**row, "margin": 0, "sentence_scores": 0} == {**other, "margin": 0, "sentence_scores": 0}
        and row["margin"] == pytest.approx(other["margin"], abs=2e-6)
        and row["sentence_scores"] == pytest.approx(other["sentence_scores"], abs=2e-6)
        for row, other in zip(found, wanted, strict=True)
    )


def piped(rows: list[Any]) -> Input:
    return Input(pipe=io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode()), pipe_form="jsonl")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "kind", ["lines", "columns", "numbers", "rows", "source", "id", "list", "json pipe", "tsv pipe"]
)
def test_every_input(known: Path, tmp_path: Path, kind: str, stream: bool) -> None:
    text, targets, key = "3", (), [{}, {}]
    if kind == "lines":
        segments = Input({"source": written(tmp_path / "s", SOURCE), "target": written(tmp_path / "t", FLAT)})
    elif kind == "columns":
        targets = ("a", "b", "c")
        columns = {"src": SOURCE} | dict(zip(targets, zip(*CANDIDATES, strict=True), strict=True))
        segments = Input(table=table(tmp_path / "a.tsv", columns), columns={"source": "src"})
    elif kind == "numbers":
        targets = ("3", "2", "4")
        rows = [f"{source}\t{b}\t{a}\t{c}" for source, (a, b, c) in zip(SOURCE, CANDIDATES, strict=True)]
        segments = Input(table=written(tmp_path / "a.tsv", rows), columns={"source": "1"}, has_header=False)
    elif kind in ("list", "json pipe"):
        text = "list"
        objects = [{"source": s, "target": t} for s, t in zip(SOURCE, CANDIDATES, strict=True)]
        path = written(tmp_path / "a.jsonl", [json.dumps(each) for each in objects])
        segments = Input(table=path) if kind == "list" else piped(objects)
    elif kind == "tsv pipe":
        rows = [f"{source}\t{target}\n" for source, target in zip(REPEATED, FLAT, strict=True)]
        segments = Input(pipe=io.BytesIO("".join(rows).encode()))
    else:
        text = "3" if kind == "rows" else "nr" if kind == "id" else "source"
        segments = Input(
            table=table(tmp_path / "a.tsv", {"source": REPEATED, "target": FLAT, "nr": ["x"] * 3 + ["y"] * 3})
        )
        key = [{"nr": "x"}, {"nr": "y"}] if kind == "id" else key
    found = best(known, segments, text, targets, stream=stream)
    wanted = [one | other for one, other in zip(key, expected(known), strict=True)]
    assert same(found, wanted)
    assert list(found[0]) == [*key[0], "target", "candidate", "candidates", "margin", "sentence_scores"]


def test_the_direction(system: Path, known: Path, tmp_path: Path) -> None:
    segments = Input({"source": written(tmp_path / "s", SOURCE), "target": written(tmp_path / "t", FLAT)})
    with pytest.raises(ConfigError, match=r"--best-of needs to know which scores are good.*--set-score"):
        best(system, segments, "3")
    assert same(best(system, segments, "3", higher_is_better=True), expected(system, 1))
    common = best(known, segments, "3", scale="0-100")
    assert [row["candidate"] for row in common] == [row["candidate"] for row in expected(known)]
    assert common[0]["margin"] == pytest.approx(100 * expected(known)[0]["margin"], abs=2e-4)


def test_candidates_that_cannot_be_used(known: Path, tmp_path: Path) -> None:
    lines = [*FLAT[:2], "", "", "", ""]
    segments = Input({"source": written(tmp_path / "s", SOURCE), "target": written(tmp_path / "t", lines)})
    bad = BadRows("nan")
    found = best(known, segments, "3", bad=bad)
    assert [row["candidate"] for row in found] in ([1, None], [2, None])
    assert found[0]["margin"] is not None
    assert (found[1]["target"], found[1]["sentence_scores"]) == ("", None)
    assert found[1]["reason"] == "found an empty target; expected at least one word."
    assert sorted(bad.reasons) == [3, 4, 5, 6]
    assert len(best(known, segments, "3", bad=BadRows("skip"))) == 1
    with pytest.raises(DataError, match="t, line 3: found an empty target"):
        best(known, segments, "3")
    blank = Input({"source": written(tmp_path / "s", [SOURCE[0], ""]), "target": written(tmp_path / "t", FLAT)})
    with pytest.raises(DataError, match="s, line 2: found an empty source"):
        best(known, blank, "3")


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (SOURCE, FLAT[:5], r"t has 5 lines, .*s has 2; expected 6, 3 candidates for each source \(--best-of 3\)"),
        (SOURCE, [*FLAT, "x"], r"t has 7 lines, .*s has 2; expected 6"),
        (SOURCE[:1], FLAT, r"t has 6 lines, .*s has 1; expected 3"),
        ([*SOURCE, "x"], FLAT, r"t has 6 lines, .*s has 3; expected 9"),
    ],
)
def test_wrong_numbers_of_lines(
    known: Path, tmp_path: Path, source: list[str], target: list[str], message: str
) -> None:
    segments = Input({"source": written(tmp_path / "s", source), "target": written(tmp_path / "t", target)})
    with pytest.raises(DataError, match=message):
        best(known, segments, "3")


@pytest.mark.parametrize(
    ("columns", "text", "message"),
    [
        (
            {"source": ["a", "a", "a"]},
            "2",
            "found 3 rows, which is 1 sources of 2 candidates each and 1 more; expected 2",
        ),
        ({"source": ["a", "b", "b", "b"]}, "2", "line 3: found the source 'b'; expected 'a', as in line 2, since each"),
        (
            {"source": ["a"] * 3, "id": ["1", "2", "1"]},
            "id",
            "line 4: found '1' in column 'id' again; expected all its rows",
        ),
        ({"source": ["a"]}, "nr", "found no column 'nr'"),
    ],
)
def test_rows_that_do_not_fit(
    known: Path, tmp_path: Path, columns: dict[str, list[str]], text: str, message: str
) -> None:
    path = table(tmp_path / "a.tsv", {**columns, "target": ["x"] * len(columns["source"])})
    with pytest.raises(DataError, match=re.escape(message)):
        best(known, Input(table=path), text)


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ([], "an empty list"),
        ("text", "text, of type str,"),
        (3, "3, of type int,"),
        (None, "null"),
        (["a", None], "null"),
        (["a\nb"], "a line end in the text"),
    ],
)
def test_cells_that_are_no_lists(known: Path, cell: Any, what: str) -> None:
    with pytest.raises(DataError, match=rf"<stdin>, line 1: found {what} in column 'target'"):
        best(known, piped([{"source": "a", "target": cell}]), "list")
    bad = BadRows("nan")
    found = best(known, piped([{"source": "a", "target": cell}, {"source": "a", "target": ["b"]}]), "list", bad=bad)
    assert [(row["candidate"], row["candidates"]) for row in found] == [(None, 0), (1, 1)]
    assert [*bad.reasons] == [1]


@pytest.mark.parametrize(
    ("segments", "text", "targets", "message"),
    [
        (Input(table=Path("a.tsv")), "1", (), "found 1; expected the number of candidates of each source, 2 or more"),
        (Input({"source": Path("s")}), "id", (), "since there is no table"),
        (
            Input(table=Path("a.tsv")),
            "2",
            ("a", "b", "c"),
            "--columns names 3 columns of translations. Set --best-of 3",
        ),
        (Input(table=Path("a.tsv")), "2", ("a", "a"), "found the same column twice"),
        (Input(table=Path("a.tsv")), "margin", (), "is a column of the result"),
        (Input(), "2", ("a", "b"), "or of a pipe of JSON Lines"),
    ],
)
def test_options_that_do_not_fit(segments: Input, text: str, targets: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        BestOf.parse(text, segments, targets)


def test_the_command(known: Path, tmp_path: Path) -> None:
    targets = ("a", "b", "c")
    columns = {"src": SOURCE} | dict(zip(targets, zip(*CANDIDATES, strict=True), strict=True))
    path = table(tmp_path / "a.tsv", columns)
    named = "source=src,target=a,target=b,target=c"
    arguments = ["score", "-m", str(known), str(path), "--columns", named, "--scores-only"]
    run = typer.testing.CliRunner().invoke
    done = run(app, [*arguments, "--best-of", "3", "-o", str(tmp_path / "best.tsv")])
    assert done.exit_code == 0, done.output
    header, *rows = (tmp_path / "best.tsv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("target\tcandidate\tcandidates\tmargin\tsentence_scores (")
    assert [row.split("\t")[0] for row in rows] == [row["target"] for row in expected(known)]
    assert "found target=a and target=b" in str(run(app, arguments).exception)
    assert "--threshold" in str(run(app, [*arguments, "--best-of", "3", "--threshold", "1"]).exception)
    others = ["score", "-m", str(known), str(path), "--best-of", "3", "--columns", named]
    assert "--spans writes text for people, which does not go with --best-of" in str(
        run(app, [*others, "--spans"]).exception
    )
    tab = written(tmp_path / "tab.jsonl", [json.dumps({"source": "a", "target": ["b\tc"]})])
    done = run(app, ["score", "-m", str(known), str(tab), "--best-of", "list"])
    assert "found a tab in the target" in str(done.exception)


def test_candidates_that_are_wrong_as_a_whole_come_last() -> None:
    assert choose([0.1, 0.9, 0.3], 1, [False, True, False]) == (2, pytest.approx(0.2))
    assert choose([0.1, 0.9], 1, [False, True]) == (0, pytest.approx(-0.8))
    assert choose([0.1, 0.9], -1, [True, False]) == (1, pytest.approx(-0.8))
    assert str(choose([0.5, 0.5], -1)) == "(0, 0.0)"
    assert choose([0.1, 0.9], 1, [True, True]) == (1, pytest.approx(0.8))
    assert choose([math.nan, 0.9], 1, [False, True]) == (1, pytest.approx(math.nan, nan_ok=True))


def test_the_source_itself_is_not_the_best_candidate(known: Path) -> None:
    rows = [{"source": source, "target": [source, text]} for source in SOURCE for text in CANDIDATES[0]]
    found = best(known, piped(rows), "list")
    assert [row["candidate"] for row in found] == [2] * len(rows)
    assert min(row["margin"] for row in found) < 0  # a copy has the better score in at least one of them
    # Of candidates that are all wrong as a whole, the score decides.
    alone = best(known, piped([{"source": SOURCE[0], "target": [SOURCE[0], SOURCE[0]]}]), "list")
    assert [row["candidate"] for row in alone] == [1]


def test_languages_tell_a_wrong_script(known: Path) -> None:
    # With the languages, one of the two candidates is of a wrong script, and never the best.
    texts = ["Закройте окно, пожалуйста", "Schließen Sie das Fenster"]
    for targets in (texts, texts[::-1]):
        rows = [{"source": SOURCE[1], "target": targets}]
        for languages, wrong in (("en", "de"), texts[0]), (("en-GB", "ru"), texts[1]):
            (row,) = best(known, piped(rows), "list", languages=languages)
            assert row["target"] != wrong
    for languages, message in (
        (["en"], "found 1; expected the languages"),
        (["en", "?"], r"found en,\?; expected the codes"),
    ):
        with pytest.raises(ConfigError, match=message):
            best(known, piped(rows), "list", languages=languages)


def test_language_pairs_of_candidates(known: Path, tmp_path: Path) -> None:
    columns = {"source": [SOURCE[0]] * 30, "target": FLAT * 5, "lp": ["en-de", "en-ru"] * 15}
    texts = {name: written(tmp_path / name, lines) for name, lines in columns.items()}
    gold = written(tmp_path / "gold", [f"{0.01 * number + 0.1 * (number % 2)}" for number in range(30)])
    calibrated = tmp_path / "calibrated"
    calibrate(known, CalibrationFiles(texts, {"sentence_scores": gold}), directory=calibrated)
    targets = ["Schließen Sie das Fenster", "Öffnen Sie das Fenster"]
    plain = {"source": SOURCE[1], "target": targets}
    (of_pair,) = best(calibrated, piped([plain]), "list", languages=("en", "de"))
    path = written(
        tmp_path / "rows.jsonl", [json.dumps(plain | {"lp": lp}) for lp in ("en-de", "en-ru", "en-US-de-AT", "eng-deu")]
    )
    first, second, *others = best(calibrated, Input(table=path), "list")
    assert [first, *others] == [of_pair] * 3
    assert first["sentence_scores_high"] != second["sentence_scores_high"]
