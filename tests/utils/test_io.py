import json
import os

import pytest
from pydantic import PositiveInt, ValidationError, model_validator

from kiwi.exceptions import ConfigError
from kiwi.utils.io import (
    BaseConfig,
    did_you_mean,
    mistakes,
    staged,
    write_json,
    write_lines,
    write_text,
)
from kiwi.utils.structured.reading import read_structured
from kiwi.utils.structured.writing import write_yaml


class Sides(BaseConfig):
    source: PositiveInt | None = None
    target: PositiveInt | None = None


class Inner(BaseConfig):
    rate: float
    size: PositiveInt | Sides = 1
    name: str = "{none}"

    @model_validator(mode="after")
    def check(self):
        if self.rate == 13.0:
            raise mistakes("Inner", {"name": "unlucky", "size.source": "unlucky too"})
        if self.rate == 14.0:
            raise ValueError("rate {rate} is no good.")
        return self


class Outer(BaseConfig):
    inner: Inner
    epochs: int = 1
    items: tuple[Inner, ...] = ()


GOOD = {"inner": {"rate": 0.5}}


@pytest.mark.parametrize(
    ("name", "candidates", "expected"),
    [
        ("epocs", ["epochs", "batch"], "did you mean 'epochs'?"),
        ("zzz", ["b", "a"], "known: a, b"),
        (3, ["a"], "known: a"),
    ],
)
def test_did_you_mean(name, candidates, expected):
    assert did_you_mean(name, candidates) == expected


def test_a_good_configuration_is_read_frozen_and_copied():
    config = Outer.from_dict({**GOOD, "items": [{"rate": 1, "size": {"source": 2}}]})
    assert (config.inner.rate, config.inner.size, config.epochs) == (0.5, 1, 1)
    assert config.items[0].size == Sides(source=2)
    with pytest.raises(ValidationError, match="frozen"):
        config.epochs = 2
    assert config.model_copy(update={"epochs": 2}).epochs == 2
    assert config.epochs == 1


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, ["inner: required, but not given"]),
        ({"inner": {}}, ["inner.rate: required, but not given"]),
        ({**GOOD, "epocs": 3}, ["epocs: unknown key; did you mean 'epochs'?"]),
        ({"inner": {"rate": 1, "nmae": "x"}}, ["inner.nmae: unknown key; did you mean 'name'?"]),
        ({**GOOD, "qqqq": 3}, ["qqqq: unknown key; known: epochs, inner, items"]),
        ({**GOOD, "items": [{"rate": 1}, {}]}, ["items.1.rate: required, but not given"]),
        ({"inner": {"rate": 13, "size": {"source": 1}}}, ["inner.name: unlucky", "inner.size.source: unlucky too"]),
        ({"inner": {"rate": 13}}, ["inner.name: unlucky", "inner.size.source: unlucky too"]),
        ({"inner": {"rate": 14}}, ["inner: rate {rate} is no good"]),
        ({**GOOD, "epochs": "a{b}"}, ["epochs: Input should be a valid integer", "(found 'a{b}')"]),
    ],
)
def test_mistakes_have_their_dotted_path(options, lines):
    with pytest.raises(ConfigError) as caught:
        Outer.from_dict(options)
    assert all(line in str(caught.value) for line in lines)
    assert caught.value.exit_code == 2


def test_several_mistakes_are_reported_together():
    options = {"inner": {"size": 0, "nmae": 1}, "epochs": "many", "items": [{"rate": "x"}], "wrong": 1}
    with pytest.raises(ConfigError) as caught:
        Outer.from_dict(options)
    first, *lines = str(caught.value).splitlines()
    assert first == "6 mistakes in the configuration:"
    paths = [line.strip().partition(":")[0] for line in lines]
    assert sorted(paths) == ["epochs", "inner.nmae", "inner.rate", "inner.size", "items.0.rate", "wrong"]


@pytest.mark.parametrize(
    ("size", "path", "text"),
    [
        (0, "inner.size", "greater than 0"),
        ("x", "inner.size", "valid integer"),
        ({"source": 0}, "inner.size.source", "greater than 0"),
        ({"sorce": 2}, "inner.size.sorce", "did you mean 'source'?"),
        ([2], "inner.size", "or expected options (key: value)"),
    ],
)
def test_a_mistake_in_a_union_is_reported_once(size, path, text):
    with pytest.raises(ConfigError) as caught:
        Outer.from_dict({"inner": {"rate": 1, "size": size}})
    first, *lines = str(caught.value).splitlines()
    assert len(lines) == 1
    assert first == "A mistake in the configuration:"
    assert lines[0].startswith(f"  {path}: ")
    assert text in lines[0]


def test_defaults_are_validated():
    class Wrong(BaseConfig):
        size: PositiveInt = 0

    with pytest.raises(ConfigError, match="size"):
        Wrong.from_dict({})


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.yaml", "a: 5e-7", {"a": 5e-7}),
        ("a.yaml", "a: 1E3", {"a": 1000.0}),
        ("a.yaml", "a: -2.5e+2", {"a": -250.0}),
        ("a.yaml", "a: .5e1", {"a": 5.0}),
        ("a.yaml", "a: '5e-7'", {"a": "5e-7"}),
        ("a.yaml", "a: e7", {"a": "e7"}),
        ("a.yaml", "a: 1e3x", {"a": "1e3x"}),
        ("a.yaml", "a: 12\nb: [true, null, x]", {"a": 12, "b": [True, None, "x"]}),
        ("a.yaml", "a: {x: 1}\nb: {x: 1}", {"a": {"x": 1}, "b": {"x": 1}}),
        ("a.yaml", "base: &b {x: 1}\nc:\n  <<: *b\n  y: 2", {"base": {"x": 1}, "c": {"x": 1, "y": 2}}),
        ("a.yaml", "\ufeffa: ü", {"a": "ü"}),
        ("a.yaml", "", None),
        ("a.json", '{"a": 5e-7, "b": [1, null]}', {"a": 5e-7, "b": [1, None]}),
        ("a.json", '\ufeff{"a": 1}', {"a": 1}),
    ],
)
def test_read_structured(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert read_structured(path) == expected


@pytest.mark.parametrize(
    ("name", "content", "place", "reason"),
    [
        ("a.yaml", b"a: 1\nb: [1\nc: 2\n", ", line 3:", "not valid YAML"),
        ("a.yaml", b"a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", ", line 5:", "duplicate key 'c'"),
        ("a.yaml", b"a: 1\na: 1\n", ", line 2:", "duplicate key 'a'"),
        ("a.yaml", b"a: !!python/object/apply:os.getcwd []\n", ", line 1:", "not valid YAML"),
        ("a.yaml", b"a: \xfc\n", ":", "not UTF-8"),
        ("a.yaml", b"a: \x01\n", ":", "not valid YAML"),
        ("a.json", b'{\n "a": 1,\n}', ", line 3:", "not valid JSON"),
        ("missing.yaml", None, ":", "cannot be read"),
    ],
)
def test_read_structured_says_what_is_wrong(tmp_path, name, content, place, reason):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_structured(path)
    assert str(caught.value).startswith(f"{path}{place}")
    assert reason in str(caught.value)


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_text(encoding="utf-8")
        for path in directory.rglob("*")
        if path.is_file()
    }


def fill(path, name, text):
    path.mkdir()
    (path / name).write_text(text, encoding="utf-8")


def test_staged_file_appears_when_complete(tmp_path):
    path = tmp_path / "deep" / "file"
    with staged(path) as stage:
        stage.write_text("new", encoding="utf-8")
        assert stage.parent.parent == path.parent
        assert not path.exists()
    assert contents(tmp_path) == {"deep/file": "new"}


def test_staged_file_replaces_the_former_one_at_the_end(tmp_path):
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    with staged(path) as stage:
        stage.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
    assert contents(tmp_path) == {"file": "new"}


def test_staged_directory_replaces_all_of_the_former_one(tmp_path):
    path = tmp_path / "model"
    fill(path, "a", "old")
    with staged(path) as stage:
        fill(stage, "b", "new")
        assert contents(path) == {"a": "old"}
    assert contents(tmp_path) == {"model/b": "new"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_staged_leaves_the_former_content_when_the_block_fails(tmp_path, kind, error):
    path = tmp_path / "model"
    if kind == "file":
        path.write_text("old", encoding="utf-8")
    else:
        fill(path, "a", "old")
    before = contents(tmp_path)

    def fail():
        with staged(path) as stage:
            if kind == "file":
                stage.write_text("half", encoding="utf-8")
            else:
                fill(stage, "a", "half")
            raise error

    with pytest.raises(error):
        fail()
    assert contents(tmp_path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_staged_block_that_fails_leaves_nothing_where_nothing_was(tmp_path):
    def fail():
        with staged(tmp_path / "file") as stage:
            stage.write_text("half", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_staged_directory_stays_when_the_block_writes_nothing(tmp_path):
    fill(tmp_path / "model", "a", "old")
    with pytest.raises(FileNotFoundError), staged(tmp_path / "model"):
        pass
    assert contents(tmp_path) == {"model/a": "old"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_staged_directory_over_a_link_to_a_directory(tmp_path):
    fill(tmp_path / "elsewhere", "a", "old")
    path = tmp_path / "model"
    path.symlink_to(tmp_path / "elsewhere")
    with staged(path) as stage:
        fill(stage, "b", "new")
    assert contents(path) == {"b": "new"}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["elsewhere", "model"]


def test_written_files(tmp_path):
    write_text(tmp_path / "text", "ä\nb\n")
    write_lines(tmp_path / "lines", ["a", "", "ö\u2028x"])
    write_lines(tmp_path / "none", [])
    write_yaml(tmp_path / "c.yaml", {"b": 5e-7, "a": {"x": ["ü"]}})
    write_json(tmp_path / "c.json", {"b": "ü", "a": None})
    assert (tmp_path / "text").read_bytes() == "ä\nb\n".encode()
    assert (tmp_path / "lines").read_bytes() == "a\n\nö\u2028x\n".encode()
    assert (tmp_path / "none").read_bytes() == b""
    assert read_structured(tmp_path / "c.yaml") == {"b": 5e-7, "a": {"x": ["ü"]}}
    assert list(read_structured(tmp_path / "c.yaml")) == ["b", "a"]
    assert "ü" in (tmp_path / "c.yaml").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "c.json").read_text(encoding="utf-8")) == {"b": "ü", "a": None}
    assert "ü" in (tmp_path / "c.json").read_text(encoding="utf-8")


def test_staged_files_have_the_permissions_that_the_umask_says(tmp_path):
    former = os.umask(0o027)
    try:
        with staged(tmp_path / "checkpoint") as stage:
            (stage / "tokenizer").mkdir(parents=True)
            for file in (stage / "weights", stage / "tokenizer" / "vocab"):
                file.write_bytes(b"")
                file.chmod(0o600)
    finally:
        os.umask(former)
    files = [tmp_path / "checkpoint" / "weights", tmp_path / "checkpoint" / "tokenizer" / "vocab"]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o640, 0o640]


def test_descriptions_of_options_are_read_when_they_are_asked_for() -> None:
    class Plain(BaseConfig):
        first: int = 1
        """The first option,
        in two lines."""

        second: int = 2

    class Derived(Plain):
        third: int = 3
        """The third option."""

        second: int = 4
        """The second option."""

    assert Derived.descriptions() == {
        "first": "The first option,\nin two lines.",
        "second": "The second option.",
        "third": "The third option.",
    }
    assert Plain.descriptions() == {"first": "The first option,\nin two lines."}
    assert not any(field.description for field in Derived.model_fields.values())  # no source is read when they are made
