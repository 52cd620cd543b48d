"""Dotted keys."""

from __future__ import annotations

from typing import Any

import pytest

from kiwi.exceptions import ConfigError
from kiwi.utils.dotted import flatten, put


def test_levels_become_dotted_keys_and_empty_ones_stay() -> None:
    options = {"a": {"b": {"c": 1}, "d": [{"e": 2}]}, "f": {}, 3: None}
    assert flatten(options) == {"a.b.c": 1, "a.d": [{"e": 2}], "f": {}, "3": None}
    assert flatten({"a": 1}, "system.") == {"system.a": 1}
    assert flatten({}) == {}


def test_a_mapping_can_be_a_value() -> None:
    options = {"a": {"b": {"lower": 0, "upper": 1}}}
    assert flatten(options, is_value=lambda each: "lower" in each) == {"a.b": {"lower": 0, "upper": 1}}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", {"a": 7, "l": [{"x": 1}]}),
        ("b.c", {"a": {}, "l": [{"x": 1}], "b": {"c": 7}}),
        ("l.0.x", {"a": {}, "l": [{"x": 7}]}),
        ("l.0", {"a": {}, "l": [7]}),
    ],
)
def test_a_value_is_put_in_its_place(key: str, expected: dict[str, Any]) -> None:
    options: dict[str, Any] = {"a": {}, "l": [{"x": 1}]}
    put(options, key, 7)
    assert options == expected


@pytest.mark.parametrize(
    ("key", "message"), [("l.1", "found a list of 1"), ("l.y.x", "at l.y"), ("t.x", "found 'text' at t")]
)
def test_a_key_that_leads_nowhere_is_refused(key: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        put({"l": [1], "t": "text"}, key, 7)
