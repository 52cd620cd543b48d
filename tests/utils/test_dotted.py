"""Dotted keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest

from kiwi.exceptions import ConfigError
from kiwi.lib.search import Configuration, RangeConfig
from kiwi.utils.dotted import ONE_OR_EACH, flatten, put
from kiwi.utils.io import BaseConfig


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


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("batch_size.valid", {"train": 8, "valid": 5, "test": 8}),
        ("batch_size", 5),
    ],
)
def test_one_value_is_spread_over_the_keys_of_its_option(key: str, expected: Any) -> None:
    options: dict[str, Any] = {"batch_size": 8}
    put(options, key, 5)
    assert options == {"batch_size": expected}


def every_configuration(kind: type[BaseConfig] = BaseConfig) -> Iterator[type[BaseConfig]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("kiwi."):  # and not of a test
            yield each
        yield from every_configuration(each)


def test_the_options_that_are_one_value_or_one_for_each_key() -> None:
    assert Configuration.model_fields  # it imports the options of training
    found = {}
    for config in every_configuration():
        for name, field in config.model_fields.items():
            kinds = get_args(field.annotation)
            mappings = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseConfig)]
            others = [kind for kind in kinds if kind not in (*mappings, type(None))]
            if mappings and others and mappings != [RangeConfig]:  # a range is a mapping or a list
                found[name] = tuple(mappings[0].model_fields)
    assert found == dict(ONE_OR_EACH)
