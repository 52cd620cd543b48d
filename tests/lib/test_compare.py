"""Systems of translation, compared by the scores of their translations."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.testing

from kiwi.cli import app
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.console.comparison import print_comparison
from kiwi.lib.inspect import set_score_of
from kiwi.lib.score.compare import Compared, CompareOptions, Given, compare
from kiwi.lib.score.compare.lines import name_files
from kiwi.runner import Runner, load_system
from kiwi.runner.options import PredictOptions
from tests.lib.test_score_document import system

__all__ = ["system"]  # a fixture

SOURCE = ["Close the bank .", "Open the window .", "Close it .", "Close the bank ."]
ONE = ["Schließen Sie die Bank .", "Öffnen Sie", "Zu !", "Bank ."]
OTHER = ["Die Bank .", "Öffnen Sie", "Öffnen Sie das Fenster nicht .", "Schließen Sie die Bank ."]


@pytest.fixture(scope="module")
def known(system: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system whose scores are HTER; not to be changed."""
    path = tmp_path_factory.mktemp("known") / "system"
    shutil.copytree(system, path)
    set_score_of(path, "kind=hter")
    return path


def written(path: Path, lines: Sequence[str | bytes]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return path


def table(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return written(path, ["\t".join(map(str, row)) for row in rows])


def files(directory: Path, **texts: Sequence[str | bytes]) -> Given:
    texts = {"one": ONE, "other": OTHER} | texts
    source = written(directory / "source", texts.pop("source", SOURCE))
    pairs = written(directory / "lp", texts.pop("lp")) if "lp" in texts else None
    return Given(source, [written(directory / f"{name}.txt", lines) for name, lines in texts.items()], pairs)


def scores_of(model: Path, target: Sequence[str]) -> list[float]:
    found = load_system(model).predict(SOURCE, target).sentences_hter
    assert found is not None
    return [round(score, 6) for score in found]


def test_paths_may_be_strings(known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given = files(tmp_path)
    texts = Given(str(given.source), [str(path) for path in given.targets])  # type: ignore[arg-type, misc]
    assert texts == given
    assert Given(table="~/a.tsv").paths == [tmp_path / "a.tsv"]  # type: ignore[arg-type]
    compare(str(known), texts, report="~/page.html", output=str(tmp_path / "out.json"))
    assert (tmp_path / "page.html").is_file()
    assert (tmp_path / "out.json").is_file()


def test_files(known: Path, tmp_path: Path) -> None:
    found = compare(known, files(tmp_path))
    expected = {"one": scores_of(known, ONE), "other": scores_of(known, OTHER)}
    for name, values in found.scores.items():
        assert values == pytest.approx(np.array(expected[name]))
    means = {name: np.mean(values) for name, values in expected.items()}
    best, worst = sorted(means, key=lambda name: means[name])  # HTER: lower is better
    (pair,) = found.whole.pairs
    assert (pair.better, pair.worse) == (best, worst)
    assert pair.difference == pytest.approx(means[worst] - means[best])
    gains = np.array(expected[worst]) - expected[best]
    assert (pair.wins, pair.ties, pair.losses) == tuple(
        int(np.sum(each)) for each in (gains > 0, gains == 0, gains < 0)
    )
    assert pair.ties >= 1  # the second segment has the same translation
    assert found.differing[0] == int(np.argmax(np.abs(gains)))
    assert found.by_pair == {}


def test_equal_segments_are_scored_once(known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []
    original = Runner.predict_columns

    def watched(self: Runner, columns: Any, *options: Any) -> Any:
        seen.extend(zip(columns["source"], columns["target"], strict=True))
        return original(self, columns, *options)

    monkeypatch.setattr(Runner, "predict_columns", watched)
    compare(known, files(tmp_path))
    assert len(seen) == len(set(seen)) == 6  # of eight, two pairs are equal


@pytest.mark.parametrize("kind", ["columns", "rows", "rows in another order", "rows with ids"])
def test_tables(known: Path, tmp_path: Path, kind: str) -> None:
    expected = compare(known, files(tmp_path))
    columns: dict[str, Sequence[object]]
    if kind == "columns":
        columns = {"src": SOURCE, "one": ONE, "other": OTHER}
        given = Given(
            table=table(tmp_path / "a.tsv", columns), columns={"source": "src"}, target_columns=["one", "other"]
        )
    else:
        rows = [
            (s, t, n, i)
            for n, texts in (("one", ONE), ("other", OTHER))
            for i, (s, t) in enumerate(zip(SOURCE, texts, strict=True))
        ]
        if kind == "rows in another order":
            rows = rows[4:6] + rows[0:4] + rows[6:8]
        if kind == "rows with ids":
            rows = rows[::-1]
        columns = dict(zip(("source", "mt", "system", "nr"), zip(*rows, strict=True), strict=True))
        ids = {"id": "nr"} if kind == "rows with ids" else {}
        given = Given(table=table(tmp_path / "a.tsv", columns), columns=ids, target_columns=["mt"])
    found = compare(known, given)
    assert {each.system: each.mean for each in found.whole.systems} == pytest.approx(
        {each.system: each.mean for each in expected.whole.systems}
    )
    (mine,), (theirs,) = found.whole.pairs, expected.whole.pairs
    assert (mine.better, mine.wins, mine.ties, mine.losses) == (theirs.better, theirs.wins, theirs.ties, theirs.losses)


@pytest.mark.parametrize("scale", ["own", "0-100"])
def test_the_direction_of_the_scale(known: Path, tmp_path: Path, scale: Any) -> None:
    found = compare(known, files(tmp_path), what=CompareOptions(scale))
    own = compare(known, files(tmp_path))
    assert found.higher_is_better == (scale == "0-100")
    assert found.whole.pairs[0].better == own.whole.pairs[0].better
    factor = 100 if scale == "0-100" else 1
    assert found.whole.pairs[0].difference == pytest.approx(factor * own.whole.pairs[0].difference, abs=1e-4)


def test_an_unknown_direction(system: Path, known: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Comparing systems needs .*--lower-is-better .*--set-score kind=hter"):
        compare(system, files(tmp_path))
    high, low = (compare(system, files(tmp_path), what=CompareOptions(higher_is_better=high)) for high in (True, False))
    assert high.whole.pairs[0].better == low.whole.pairs[0].worse
    with pytest.raises(ConfigError, match="--higher-is-better: these scores are HTER"):
        compare(known, files(tmp_path), what=CompareOptions(higher_is_better=True))


def test_language_pairs(known: Path, tmp_path: Path) -> None:
    found = compare(known, files(tmp_path, lp=["en-de", "et-en", "en-de", "en-de"]))
    assert {pair: each.n_segments for pair, each in found.by_pair.items()} == {"en-de": 3, "et-en": 1}
    assert found.by_pair["et-en"].pairs[0].ties == 1
    means = {each.system: each.mean for each in found.by_pair["en-de"].systems}
    assert means["one"] == pytest.approx(np.array(scores_of(known, ONE))[[0, 2, 3]].mean())


def test_unusable_segments_are_left_out_for_all(known: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken: list[str | bytes] = [ONE[0], "", b"\xff", ONE[3]]
    found = compare(known, files(tmp_path, one=broken))
    assert (found.whole.n_segments, found.n_left_out) == (2, 2)
    assert [*found.unusable] == [2, 1]
    assert "found an empty target" in found.unusable[1]["one"]
    assert "byte 0xff" in found.unusable[2]["one"]
    assert all(np.isnan(values[[1, 2]]).all() for values in found.scores.values())
    assert "2 of 4 segments cannot be used and are left out for all systems. The first: " in caplog.text
    for lines, message in ((broken[:2], "one.txt, line 2: found an empty target"), ([b"\xff"], "one.txt, line 1: ")):
        given = files(tmp_path, source=SOURCE[: len(lines)], one=lines, other=OTHER[: len(lines)])
        with pytest.raises(DataError, match=rf"{message}.* To leave out .* --on-bad skip"):
            compare(known, given, what=CompareOptions(on_unusable="stop"))


@pytest.mark.parametrize("header", ["source;mt;pe", "source;mt;pe;pe"])
def test_columns_are_no_segments_to_leave_out(known: Path, tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n" + ";".join("abcd"[: header.count(";") + 1]) + "\n")
    columns = ["mt", "pa"] if header.endswith("mt;pe") else ["mt", "pe"]
    given = Given(table=tmp_path / "a.csv", target_columns=columns)
    with pytest.raises(DataError, match=r"line 1: found (no column 'pa'|several columns 'pe')") as error:
        compare(known, given, what=CompareOptions(on_unusable="stop"))
    assert "--on-bad" not in str(error.value)
    assert ("--columns" in str(error.value)) == ("'pa'" in str(error.value))


def test_blank_segments_have_no_score(known: Path, tmp_path: Path) -> None:
    found = compare(known, files(tmp_path, source=["", *SOURCE[1:]], one=["", *ONE[1:]], other=["", *OTHER[1:]]))
    assert (found.whole.n_segments, found.n_left_out, found.unusable) == (3, 1, {})
    with pytest.raises(DataError, match="No segment has a score"):
        compare(known, files(tmp_path, source=[" ", ""], one=["", ""], other=["", ""]))


def test_what_is_written(known: Path, tmp_path: Path) -> None:
    given = files(tmp_path, lp=["en-de"] * 3 + ["et-en"], third=["", *OTHER[1:]])
    found = compare(known, given, report=tmp_path / "r.html", output=tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps(found.to_dict()))
    assert content["score"] == {"scale": "own", "kind": "hter", "higher_is_better": False, "range": [0.0, 1.0]}
    assert content["scores"]["one"][0] is None
    assert content["scores"]["one"][1:] == pytest.approx(scores_of(known, ONE)[1:])
    assert (content["n_segments"], content["n_left_out"], content["test"]) == (3, 1, "paired bootstrap")
    assert [each["segment"] for each in content["unusable"]] == [1]
    assert sorted(content["language_pairs"]) == ["en-de", "et-en"]
    assert len(content["pairs"]) == 3
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "HTER, lower is better, 0 to 1" in page
    assert len(re.findall(r'<li class="segment"', page)) == len(content["most_different"])
    with pytest.raises(ConfigError, match="would be written over, but this command reads it"):
        compare(known, given, report=tmp_path / "one.txt")


def rows(**changed: Sequence[str]) -> dict[str, Sequence[str]]:
    whole = {"source": ["a", "a", "b", "b"], "target": ["x", "y", "x", "y"], "system": ["p", "q", "p", "q"]}
    return {**whole, **changed}


@pytest.mark.parametrize(
    ("columns", "named", "message"),
    [
        (rows(system=["p", "q", "p", "p"]), {}, "line 4: found a segment ('b') that q lacks; expected a row of each"),
        (rows(system=["p", " ", "p", "q"]), {}, "line 3: found no name of a system"),
        (rows(system=["p"] * 4), {}, "found one system in column 'system', p; expected two or more"),
        (
            rows(nr=["1", "1", "1", "2"]),
            {"id": "nr"},
            "line 4: found a second row of p with the id '1'; expected one, as",
        ),
        (rows(nr=["1", "1", "2", "1"]), {"id": "nr"}, "line 5: found a second row of q with the id '1'"),
        (
            rows(nr=["1", "2", "2", "1"]),
            {"id": "nr"},
            "line 4: found the source 'b'; expected 'a', as the same segment",
        ),
    ],
)
def test_rows_that_do_not_belong_together(
    tmp_path: Path, columns: Mapping[str, Sequence[str]], named: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        Given(table=table(tmp_path / "a.tsv", columns), columns=named).read("skip")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Found no --source and 0 --target; expected one --source and a --target for each of two or more"),
        ({"source": Path("s"), "targets": [Path("a")]}, "Found one --source and 1 --target"),
        ({"source": Path("s"), "targets": [Path("a"), Path("a")]}, "--target: found a twice"),
        ({"source": Path("s"), "targets": [Path("a"), Path("b")], "names": ["x"]}, "found 1 names for 2 systems"),
        ({"source": Path("s"), "targets": [Path("a"), Path("b")], "names": ["x", "x"]}, "expected different names"),
        ({"source": Path("s"), "table": Path("t.tsv")}, "remove the table and --columns"),
        ({"table": Path("t.tsv"), "columns": {"sorce": "x"}}, "'sorce' is not a field; did you mean 'source'?"),
        ({"table": Path("t.tsv"), "target_columns": ["a", "a"]}, "found the column 'a' twice"),
        ({"table": "wide", "target_columns": ["a", "b"], "columns": {"system": "a"}}, "found the column 'a' twice"),
        ({"table": "wide", "target_columns": ["a", "b"], "columns": {"id": "n"}}, "--columns id: for tables with one"),
        ({"table": "wide", "target_columns": ["a"]}, "found no column 'system'; expected one that names the system"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    if options.get("table") == "wide":
        options |= {"table": table(tmp_path / "a.tsv", {"source": ["a"], "a": ["x"], "b": ["y"], "n": ["1"]})}
    with pytest.raises(ConfigError, match=re.escape(message)):
        Given(**options).read("skip")


def test_different_numbers_of_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"source has 4, .*one.txt has 3, .*other.txt has 4 lines"):
        files(tmp_path, one=ONE[:3]).read("skip")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/one.txt", "b/other.mt.gz"], ["one", "other"]),
        (["test.google", "test.deepl.gz"], ["test.google", "test.deepl"]),
        (["x/a/mt.txt", "x/b/mt.txt"], ["a/mt.txt", "b/mt.txt"]),
        (["a.gz", "a.xz"], ["a.gz", "a.xz"]),
    ],
)
def test_names_of_files(paths: list[str], names: list[str]) -> None:
    assert name_files([Path(path) for path in paths]) == names


def test_a_system_that_reads_alignments(trained: Any, exported_aligner: Path, tmp_path: Path) -> None:
    given = files(tmp_path)
    with pytest.raises(ConfigError, match="does not align"):
        compare(trained.path, given, options=PredictOptions(align=False))
    found = compare(trained.path, given, options=PredictOptions(aligner=exported_aligner))
    assert found.whole.n_segments == 4


def test_the_command(known: Path, tmp_path: Path) -> None:
    given = files(tmp_path, one=["", *ONE[1:]])
    assert given.source is not None
    arguments = ["compare", "-m", known, "-s", given.source, *("-t", given.targets[0], "-t", given.targets[1])]
    arguments += ["--names", "A,B", "-q", "--resamples", "50", "--report", tmp_path / "r.html", "--segments", "1"]
    done = typer.testing.CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 3, done.output  # one segment is left out
    assert re.search(r"│ [AB] +│ +1 │", done.stdout)
    assert "Segments that differ most" in done.stdout
    assert "Scores: HTER, lower is better, 0 to 1. Systems of the same rank" in done.stderr
    assert (tmp_path / "r.html").is_file()
    done = typer.testing.CliRunner().invoke(app, ["compare", "-m", "x", "t.tsv", "--columns", "source=a,source=b"])
    assert isinstance(done.exception, ConfigError)
    assert "found source=a and source=b" in str(done.exception)


@pytest.mark.parametrize("resamples", [0, 50])
def test_the_heading_of_means_speaks_of_ranks_where_there_are_some(
    known: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], resamples: int
) -> None:
    given = files(tmp_path, lp=["en-de", "et-en", "en-de", "en-de"])
    print_comparison(compare(known, given, what=CompareOptions(resamples=resamples)))
    heading = next(line for line in capsys.readouterr().out.splitlines() if "by language pair" in line)
    assert ("with rank" in heading) == bool(resamples)


def test_few_segments_without_resamples(known: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found: Compared = compare(known, files(tmp_path), what=CompareOptions(resamples=0))
    assert found.whole.pairs[0].p is None
    assert "too optimistic" not in caplog.text
    compare(known, files(tmp_path))
    assert "Intervals and tests of 4 segments are too optimistic; compare 30 or more." in caplog.text
    assert not math.isnan(found.whole.systems[0].mean)
