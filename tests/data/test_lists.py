from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kiwi.data.lists import as_lists, as_texts
from kiwi.exceptions import DataError

TEXTS = ["a", "b"]


@pytest.mark.parametrize(
    "values", [TEXTS, tuple(TEXTS), iter(TEXTS), np.array(TEXTS), dict.fromkeys(TEXTS), {1: "a", 2: "b"}.values()]
)
def test_iterables(values: Any) -> None:
    values = values.keys() if isinstance(values, dict) else values
    found = as_lists({"source": values})["source"]
    assert as_texts("source", found) == TEXTS


def test_arrow_arrays() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    for values in (pyarrow.array(["a", None]), pyarrow.chunked_array([["a"], [None]])):
        assert as_lists({"source": values}) == {"source": ["a", None]}
    with pytest.raises(DataError, match=r"found a value of type Table; .* Give one of its columns"):
        as_lists({"source": pyarrow.table({"source": ["a"]})})


def test_columns_of_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"source": ["a", None, pandas.NA], "target": ["b", "c", "d"]})
    assert as_lists({"source": frame["target"]}) == {"source": ["b", "c", "d"]}
    bad: list[int] = []
    found = as_lists({"source": frame["source"]})["source"]
    assert as_texts("source", found, lambda number, error, value: bad.append(number)) == ["a", "", ""]
    assert bad == [2, 3]
    with pytest.raises(DataError, match=r"source: found a value of type DataFrame; .* Give one of its columns"):
        as_lists({"source": frame[["source"]]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "source: found None; expected a list with one string per segment."),
        ("a", "source: found one string; expected a list with one string per segment."),
        (b"a", "source: found a value of type bytes; expected a list with one string per segment."),
        (1, "source: found a value of type int; expected a list with one string per segment."),
        ({"a", "b"}, "source: found a value of type set; expected a list with one string per segment."),
        (np.array("a"), "source: found a value of type ndarray; expected a list with one string per segment."),
        (
            {"source": TEXTS},
            "source: found a value of type dict; expected a list with one string per segment. Give one of its "
            "columns, such as data['source'] or data[:, 0].",
        ),
        (
            np.array([TEXTS]),
            "source: found a value of type ndarray; expected a list with one string per segment. Give one of its "
            "columns, such as data['source'] or data[:, 0].",
        ),
    ],
)
def test_what_is_no_list(values: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        as_lists({"source": values})
    assert str(error.value) == message


def test_lengths_are_compared() -> None:
    with pytest.raises(DataError, match="Lists of different length: one has 1, other has 2 segments"):
        as_lists({"one": iter("a"), "other": TEXTS})


@pytest.mark.parametrize(("value", "found"), [(None, "None"), (math.nan, "nan"), (1, "1"), (b"a", "b'a'")])
def test_what_is_no_text(value: Any, found: str) -> None:
    with pytest.raises(DataError) as error:
        as_texts("target", ["a", value])
    assert str(error.value) == f"target, segment 2: found {found}; expected a string."


def test_ends_of_lines_are_no_text() -> None:
    assert as_texts("target", ["a\r\n", "b\n", " c "]) == ["a", "b", " c "]
