"""Gold values of policies: numbers, or what follows from error spans."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from kiwi.data.labels.policy import Acceptable
from kiwi.exceptions import DataError
from kiwi.lib.route.columns import Column
from kiwi.lib.route.gold import read_gold

CELLS = ["0:4:minor 9:12:major", "-", "0:1:critical|-", "0:1:minor", "0:1:neutral", ""]
MAJOR = [1.0, 0.0, 0.5, 0.0, 0.0]
PENALTIES = [6.0, 0.0, 5.0, 1.0, 0.0]

FILES = {
    "gold.tsv": "target\tgold\n" + "".join(f"x\t{cell}\n" for cell in CELLS[:-1]),
    "gold.spans": "starts\tends\tseverities\n0 9\t4 12\tminor major\n-1\t-1\tno-error\n0\t1\tcritical\n"
    "0\t1\tMinor\n0\t1\tneutral\n",
    "rows.tsv": "seg\trater\tstarts\tends\tseverities\n0\ta\t0 9\t4 12\tminor major\n1\ta\t-1\t-1\tno-error\n"
    "2\ta\t0\t1\tcritical\n2\tb\t\t\t\n3\ta\t0\t1\tminor\n4\ta\t0\t1\tneutral\n",
    "objects.jsonl": "".join(
        json.dumps({"error_spans": spans}) + "\n"
        for spans in (
            [{"start": 0, "end": 4, "severity": "minor"}, {"start": 9, "end": 12, "severity": "major"}],
            [],
            [[{"start": 0, "end": 1, "severity": "critical"}], []],
            [{"start": 0, "end": 1, "severity": "minor"}],
            [{"start": 0, "end": 1, "severity": "neutral"}],
        )
    ),
    "json.tsv": 'gold\n[{"start": 0, "end": 4, "severity": "minor"}, {"start": 9, "end": 12, "severity": "major"}]\n'
    '[]\n[[{"start": 0, "end": 1, "severity": "critical"}], []]\n0:1:minor\n-\n',
}


def gold(folder: Path, name: str, definition: str, n_segments: int = 5) -> list[float]:
    (folder / name).write_text(FILES[name])
    return read_gold(Column(folder / name, "gold"), Acceptable.parse(definition), n_segments, Path("p.tsv"))


@pytest.mark.parametrize("name", FILES)
def test_spans_in_all_forms(name: str, tmp_path: Path) -> None:
    # Without raters, the third segment of gold.spans has one annotation.
    third = 2 if name == "gold.spans" else 1
    assert gold(tmp_path, name, "no major") == [*MAJOR[:2], MAJOR[2] * third, *MAJOR[3:]]
    assert gold(tmp_path, name, "no critical") == [0.0, 0.0, 0.5 * third, 0.0, 0.0]
    assert gold(tmp_path, name, "no minor") == [2.0, 0.0, 0.5 * third, 1.0, 0.0]
    assert gold(tmp_path, name, "mqm <= 5") == [*PENALTIES[:2], PENALTIES[2] * third, *PENALTIES[3:]]
    assert gold(tmp_path, name, "mqm >= -5") == [-value for value in gold(tmp_path, name, "mqm <= 5")]


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    (tmp_path / "n.tsv").write_text("gold\nnan\n5\n-2.5\n")
    (tmp_path / "n.mqm").write_text("\n5\n-2.5\n")
    for name in ("n.tsv", "n.mqm"):
        for definition in ("mqm <= 5", "hter <= 0.1"):
            first, *found = read_gold(Column(tmp_path / name, "gold"), Acceptable.parse(definition), 3, Path("p"))
            assert math.isnan(first)
            assert found == [5.0, -2.5]


def test_no_annotation_is_no_gold_value(tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text("target\tgold\nx\t\ny\t-\n")
    first, second = read_gold(Column(tmp_path / "s.tsv", "gold"), Acceptable.parse("no major"), 2, Path("p"))
    assert math.isnan(first)
    assert second == 0.0


@pytest.mark.parametrize(
    ("content", "definition", "message"),
    [
        ("gold\n-\nbad\n", "no major", "line 3: found 'bad' in error_spans; expected spans such as"),
        ("gold\n-\n0:1:awful\n", "no major", "line 3: found the severity 'awful'; expected one of minor"),
        ("gold\n-\n[1]\n", "no major", "line 3: found 1 in error_spans; expected objects"),
        ("gold\n-\n[\n", "no major", "line 3: found '\\['; expected a list of objects"),
        ("gold\n0.1\n0:1:major\n", "mqm <= 1", "line 3: found '0:1:major'; expected a finite number"),
        ("gold\n0.1\n0:1:major\n", "hter <= 1", "line 3: found '0:1:major'; expected a finite number"),
        ("gold\n-\n", "no major", "found 1 segments; expected 2, as p"),
        ("starts\tends\tseverities\n0\t1\tminor\n", "no major", "found 1 rows; expected 2"),
    ],
)
def test_bad_gold(content: str, definition: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_gold(Column(tmp_path / "b.tsv", "gold"), Acceptable.parse(definition), 2, Path("p"))
