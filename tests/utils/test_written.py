import time
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import PositiveInt

from kiwi.exceptions import ConfigError
from kiwi.lib.utils import load_configuration
from kiwi.utils.io import BaseConfig
from kiwi.utils.structured.reading import parse_document
from kiwi.utils.structured.writing import to_yaml
from kiwi.utils.written import PathText, user_path


class Run(BaseConfig):
    name: str = "x"
    lang: str | None = None
    langs: str | list[str] | None = None
    out: Path | None = None
    keep: Literal["disk", "no"] = "disk"
    precision: Literal[16, 32, "bf16"] = 32
    size: PositiveInt = 1
    share: float | int = 1.0
    flag: bool = False
    uri: PathText = "m"
    files: list[Path] | None = None
    names: dict[str, str] | None = None
    other: Any = None


class Config(BaseConfig):
    run: Run


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def read(content, *overrides, name="c.yaml"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return load_configuration(path, overrides)

    return read


@pytest.mark.parametrize(
    ("option", "written", "expected"),
    [
        ("lang", "no", "no"),
        ("lang", "null", None),
        ("lang", "2026-01-01", "2026-01-01"),
        ("name", "42", "42"),
        ("name", "042", "042"),
        ("name", "1e5", "1e5"),
        ("name", "1_000", "1_000"),
        ("name", "null", "null"),
        ("name", "Yes", "Yes"),
        ("name", "12:30", "12:30"),
        ("name", "00000000000000000000000000000001", "00000000000000000000000000000001"),
        ("name", "12345678901234567890123456789012", "12345678901234567890123456789012"),
        ("name", "'no'", "no"),
        ("langs", "[no, 1.50, sv]", ["no", "1.50", "sv"]),
        ("langs", "on", "on"),
        ("out", "2024", Path("2024")),
        ("keep", "no", "no"),
        ("precision", "16", 16),
        ("size", "010", 8),
        ("share", "1e-1", 0.1),
        ("flag", "no", False),
        ("names", "{no: yes}", {"no": "yes"}),
        ("files", "[007, on]", [Path("007"), Path("on")]),
        ("other", "no", False),
    ],
)
def test_text_options_take_what_is_written(read, option, written, expected):
    in_file = Config.from_dict(read(f"run: {{{option}: {written}}}")).run
    as_override = Config.from_dict(read("run: {}", f"run.{option}={written}")).run
    through_variable = Config.from_dict(read(f"_x: {written}\nrun:\n  {option}: ${{_x}}")).run
    for run in (in_file, as_override, through_variable):
        found = getattr(run, option)
        assert (found, type(found)) == (expected, type(expected))


def test_json_numbers_and_switches_are_text_where_text_is_asked_for(read):
    run = Config.from_dict(read('{"run": {"name": 1.50, "lang": false, "size": 3}}', name="c.json")).run
    assert (run.name, run.lang, run.size) == ("1.50", "false", 3)


def test_interpolation_within_text_and_hashes_of_overrides_are_as_written(read):
    options = read("_l: no\nrun: {name: 'a/${_l}'}")
    assert Config.from_dict(options).run.name == "a/no"
    assert Config.from_dict(read("run: {}", "run.name=fix #3")).run.name == "fix #3"


def test_a_configuration_that_is_printed_reads_the_same(read):
    content = "run: {lang: no, name: 042, share: 1e-3, out: 2024, langs: [on, 1.50], flag: yes}"
    first = read(content)
    again = read(to_yaml(first), name="again.yaml")
    assert Config.from_dict(again) == Config.from_dict(first)
    assert "042" in to_yaml(first)


def test_texts_do_not_outlive_their_values(read):
    options = read("run: {name: no}")
    options["run"]["name"] = "new"
    assert Config.from_dict(options).run.name == "new"
    assert Config.from_dict(read("run: {name: no}") | {"run": {"name": "b"}}).run.name == "b"


@pytest.mark.parametrize("option", ["out", "uri"])
def test_the_home_directory_is_expanded_in_paths(read, tmp_path, option):
    home = tmp_path / "home"
    for options in (read(f"run: {{{option}: ~/a}}"), read("run: {}", f"run.{option}=~/a"), {"run": {option: "~/a"}}):
        assert str(getattr(Config.from_dict(options).run, option)) == str(home / "a")
    run = Config.from_dict({"run": {"uri": "sqlite:///~/x.db", "files": [Path("~/b"), "c~"]}}).run
    assert (run.uri, run.files) == (f"sqlite:///{home}/x.db", [home / "b", Path("c~")])
    assert user_path("~/c") == home / "c"


def test_an_unknown_user_is_named_and_no_directory_made():
    with pytest.raises(ConfigError, match=r"run.out: found ~nobody-here, but there is no such user"):
        Config.from_dict({"run": {"out": "~nobody-here/x"}})
    with pytest.raises(ConfigError, match="no such user"):
        user_path("~nobody-here/x")


@pytest.mark.parametrize("value", [10**10, "1" * 40, 10**400])
def test_huge_numbers_are_refused_by_name(value):
    with pytest.raises(ConfigError, match=r"run.size: found a number of \d+ digits"):
        Config.from_dict({"run": {"size": value}})


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

MERGES = "m0: &m0 {x: y}\n" + "".join(f"m{n + 1}: &m{n + 1} {{<<: [" + f"*m{n}," * 10 + "]}\n" for n in range(9))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LAUGHS, "more than 100000 values"),
        (MERGES, "more than 100000 values"),
        ("a: &a [*a]", "contains itself"),
        ("a: " + "[" * 5000 + "]" * 5000, "more than 50 levels"),
        ("a: " + "{a: " * 60 + "1" + "}" * 60, "more than 50 levels"),
        ('a: "\\0"', "NUL"),
        ("a: \0", "control character"),
        ("? [1, 2]\n: 3", "a key that is no text"),
        ("a: !!set {x}", "the tag"),
        ("a: !!binary aGk=", "the tag"),
        ("a: *x", "undefined alias"),
        ("a: ${", "a.yaml"),
        ("_a: ${_b}\n_b: ${_a}\na: ${_a}", "refers to itself"),
        ("a: {b: '${.c}', c: '${.b}'}", "refers to itself"),
        ("a0: xxxxxxxxxx\n" + "".join(f"a{n + 1}: '{f'${{a{n}}}' * 10}'\n" for n in range(9)), "after interpolation"),
        ("a0: [1]\n" + "".join(f"a{n + 1}: [" + f"'${{a{n}}}'," * 10 + "]\n" for n in range(9)), "after interpolation"),
    ],
)
def test_what_expands_without_end_is_refused_at_once(tmp_path, content, reason):
    path = tmp_path / "a.yaml"
    path.write_text(content, encoding="utf-8")
    started = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        load_configuration(path)
    assert time.perf_counter() - started < 5  # minutes without the bounds
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        ("[" * 60 + "]" * 60, "50 levels"),
        ("[" * 99999, "50 levels"),
        ('{"a": "\\u0000"}', "NUL"),
    ],
)
def test_json_has_the_same_bounds(tmp_path, content, reason):
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_configuration(path)
    assert reason in str(caught.value)


def test_keys_are_text_as_they_are_written():
    document = parse_document("null: 1\nno: 2\n2026-01-01: 3\n1: 4", "c.yaml")
    assert document.values == {"null": 1, "no": 2, "2026-01-01": 3, "1": 4}
