"""The learning curve of a run, parsed as XML."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kiwi.training.learning_curve import MAX_POINTS, draw_learning_curve
from kiwi.training.metrics_log import MetricsFile

SVG = "{http://www.w3.org/2000/svg}"


def draw(directory: Path, rows: list[tuple[int, dict[str, float]]], main_metric: list[str]) -> Path:
    log = MetricsFile(directory / "metrics.csv", 100)
    for step, row in rows:
        log.log_metrics(row, step)
    log.finalize("success")
    destination = directory / "learning_curve.svg"
    draw_learning_curve(log.path, destination, main_metric, "val_" + "+".join(main_metric))
    return destination


def texts(picture: Path) -> list[str]:
    return [text.text or "" for text in ElementTree.parse(picture).iter(f"{SVG}text")]


def lines(picture: Path) -> list[list[tuple[float, float]]]:
    found = ElementTree.parse(picture).iter(f"{SVG}polyline")
    return [[(float(x), float(y)) for x, y in (p.split(",") for p in line.attrib["points"].split())] for line in found]


def test_what_is_drawn(tmp_path: Path) -> None:
    rows: list[tuple[int, dict[str, float]]] = []
    for step in range(9, 100, 10):
        rows.append((step, {"train_loss": 10 / (step + 1)}))
        rows.append(
            (
                step,
                {
                    "val_loss": 1.0,
                    "val_MCC": step / 100,
                    "val_PEARSON": 0.5,
                    "val_MCC+PEARSON": 0.9 - abs(step - 69) / 100,
                },
            )
        )
    picture = draw(tmp_path, rows, ["MCC", "PEARSON"])
    shown = texts(picture)
    for text in ("Loss", "training", "validation", "optimizer steps", "MCC", "PEARSON", "sum", "best: 0.9 at step 70"):
        assert text in shown, text
    training, validation, a, b, total = lines(picture)
    assert [len(line) for line in (training, validation, a, b, total)] == [10] * 5
    assert all(x1 < x2 for (x1, _), (x2, _) in pairwise(training))
    assert all(y1 < y2 for (_, y1), (_, y2) in pairwise(training))  # the loss falls
    assert all(y1 > y2 for (_, y1), (_, y2) in pairwise(a))
    assert len({y for _, y in b}) == 1
    width, height = (float(ElementTree.parse(picture).getroot().attrib[name]) for name in ("width", "height"))
    assert all(0 < x < width and 0 < y < height for line in lines(picture) for x, y in line)


def test_lower_may_be_better(tmp_path: Path) -> None:
    rows = [(9, {"val_RMSE": 0.5}), (19, {"val_RMSE": 0.2}), (29, {"val_RMSE": 0.3})]
    shown = texts(draw(tmp_path, rows, ["RMSE"]))
    assert "best: 0.2 at step 20" in shown
    assert "Main metric on the validation data (lower is better)" in shown
    assert "Loss" not in shown


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-9, 1e9])
def test_a_single_point(tmp_path: Path, value: float) -> None:
    picture = draw(tmp_path, [(0, {"val_MCC": value, "val_loss": value})], ["MCC"])
    assert [len(line) for line in lines(picture)] == [1, 1]


def test_nothing_to_draw(tmp_path: Path) -> None:
    assert not draw(tmp_path, [(0, {"other": 1.0, "val_MCC": math.nan})], ["MCC"]).exists()


def test_many_points_are_averaged(tmp_path: Path) -> None:
    rows = [(step, {"train_loss": float(step % 2)}) for step in range(4 * MAX_POINTS)]
    (line,) = lines(draw(tmp_path, rows, ["MCC"]))
    assert len(line) == MAX_POINTS
    assert len({y for _, y in line}) == 1


def test_names_are_escaped(tmp_path: Path) -> None:
    assert "a<b_MCC" in texts(draw(tmp_path, [(0, {"val_a<b_MCC": 1.0})], ["a<b_MCC"]))
