from xml.etree import ElementTree

import numpy as np
import pytest

from kiwi.pages import svg


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.3, 0.6, [-0.2, 0, 0.2, 0.4, 0.6]),
        (0, 1e-9, [0, 2e-10, 4e-10, 6e-10, 8e-10, 1e-9]),
    ],
)
def test_ticks(low, high, expected):
    assert svg.ticks(low, high, 5) == pytest.approx(expected)


def test_bounds_are_never_empty():
    assert svg.bounds([1, 3], 0.5) == (0, 4)
    assert svg.bounds([2.0], 0.0) == (1.9, 2.1)
    assert svg.bounds([0.0, 0.0], 0.1) == (-0.05, 0.05)


def chart() -> svg.Chart:
    return svg.Chart((0.0, 1.0), (-1.0, 1.0), "x < y", "y", 'a "picture"')


def test_places():
    drawn = chart()
    assert (drawn.x_of(0), drawn.x_of(1)) == (svg.LEFT, svg.WIDTH - svg.RIGHT)
    assert (drawn.y_of(-1), drawn.y_of(1)) == (svg.HEIGHT - svg.BOTTOM, svg.TOP)


def test_what_is_drawn():
    drawn = chart()
    drawn.points(np.array([0.0, 1.0]), np.array([1.0, -1.0]))
    drawn.bar(0.0, 0.5, -0.5, "below", "a < b")
    drawn.cells(np.array([[0, 1], [0, 100]]))
    root = ElementTree.fromstring(drawn.svg())
    assert root.attrib["aria-label"] == 'a "picture"'
    clouds = [path.attrib["d"] for path in root.findall("path[@class='cloud']")]
    assert clouds == [f"M{svg.LEFT} {svg.TOP}h0", f"M{svg.WIDTH - svg.RIGHT} {svg.HEIGHT - svg.BOTTOM}h0"]
    bar = root.find("rect")
    assert bar is not None
    assert float(bar.attrib["y"]) == drawn.y_of(0)  # it hangs from zero
    assert float(bar.attrib["height"]) == drawn.y_of(-0.5) - drawn.y_of(0)
    assert [path.attrib["class"] for path in root.findall("path") if "cell" in path.attrib["class"]] == [
        "cell c1",
        "cell c5",
    ]
