import json
import logging
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from kiwi.exceptions import ConfigError
from kiwi.lib.utils import (
    arguments_to_configuration,
    configure_logging,
    configure_seed,
    example_configuration,
    file_to_configuration,
    load_configuration,
    save_config_to_file,
)
from kiwi.training.config import RunConfig
from kiwi.utils.structured.writing import literal, to_yaml, write_configuration

MAIN = """
# the groups come first, what stands here has precedence
defaults:
  - data: wmt20.qe.en_de
  - _self_
  - system: small
run: {seed: 1}
system:
  batch_size: 8
  optimizer: {learning_rate: 5e-7}
"""


@pytest.fixture
def main(tmp_path):
    for group in ("data", "system"):
        (tmp_path / group).mkdir()
    (tmp_path / "main.yaml").write_text(MAIN, encoding="utf-8")
    (tmp_path / "data" / "wmt20.qe.en_de.yaml").write_text("data: {train: en_de.src, split: 0.9}", encoding="utf-8")
    (tmp_path / "data" / "wmt19.json").write_text('{"data": {"train": "wmt19.src"}}', encoding="utf-8")
    system = "system: {class_name: NuQE, batch_size: 1}\nrun: {seed: 2, name: small}"
    (tmp_path / "system" / "small.yaml").write_text(system, encoding="utf-8")
    return tmp_path / "main.yaml"


def test_defaults_are_composed_and_the_file_has_precedence(main):
    assert load_configuration(main) == {
        "data": {"train": "en_de.src", "split": 0.9},
        "run": {"seed": 1, "name": "small"},
        "system": {"class_name": "NuQE", "batch_size": 8, "optimizer": {"learning_rate": 5e-7}},
    }


@pytest.mark.parametrize(
    ("overrides", "path", "expected"),
    [
        (["run.seed=7"], ("run",), {"seed": 7, "name": "small"}),
        (["run.seed=7", "run.seed=8"], ("run", "seed"), 8),
        (["system.optimizer.learning_rate=1e-5"], ("system", "optimizer", "learning_rate"), 1e-5),
        (["run.new.deep=true"], ("run", "new"), {"deep": True}),
        (["run.seed=null"], ("run", "seed"), None),
        (["run.name='7'"], ("run", "name"), "7"),
        (["run.name=#1"], ("run", "name"), "#1"),
        (["run.name=&x"], ("run", "name"), "&x"),
        (["run.seed=~"], ("run", "seed"), None),
        (["run.seed=null # none"], ("run", "seed"), None),
        (["run.seed=!!null"], ("run", "seed"), None),
        (["run.seed="], ("run", "seed"), None),
        (["run.name=a=b"], ("run", "name"), "a=b"),
        (["run.name=ü ö"], ("run", "name"), "ü ö"),
        (["run.list=[1, x]"], ("run", "list"), [1, "x"]),
        (["run.list=[1, x]", "run.list=[2]"], ("run", "list"), [2]),
        (["run.list=[1, x]", "run.list.1=2"], ("run", "list"), [1, 2]),
        (["run={name: big}"], ("run",), {"seed": 1, "name": "big"}),
        (["run=3"], ("run",), 3),
        (["system.batch_size={train: 2}"], ("system", "batch_size"), {"train": 2}),
        (["system.batch_size.valid=5"], ("system", "batch_size"), {"train": 8, "valid": 5, "test": 8}),
        (["system[batch_size][valid]=5"], ("system", "batch_size"), {"train": 8, "valid": 5, "test": 8}),
        (["system.batch_size=null", "system.batch_size.valid=5"], ("system", "batch_size"), {"valid": 5}),
        (
            ["system.batch_size=${_n}", "system.batch_size.valid=5", "_n=3"],
            ("system", "batch_size"),
            {"train": 3, "valid": 5, "test": 3},
        ),
        (["run.switch=true", "run.switch.seed=3"], ("run", "switch"), {"seed": 3}),
        (["run.name=${system.class_name}"], ("run", "name"), "NuQE"),
        (["data=wmt19"], ("data",), {"train": "wmt19.src"}),
        (["data.split=0.5", "data=wmt19"], ("data",), {"train": "wmt19.src", "split": 0.5}),
    ],
)
def test_overrides(main, overrides, path, expected):
    found = load_configuration(main, overrides)
    for key in path:
        found = found[key]
    assert found == expected
    assert isinstance(found, type(expected))
    assert isinstance(found, bool) == isinstance(expected, bool)


def test_a_configuration_in_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "main.yaml")
    with pytest.raises(ConfigError, match=r"main\.yaml: found a pipe; expected a file"):
        load_configuration(tmp_path / "main.yaml")
    with pytest.raises(ConfigError, match=r"other\.yaml: no such configuration file"):
        load_configuration(tmp_path / "other.yaml")


@pytest.mark.parametrize("override", ["run.seed", "=3", "", "run.seed=[1", "run.name={a: 1"])
def test_an_override_that_does_not_parse_is_named(main, override):
    with pytest.raises(ConfigError) as caught:
        load_configuration(main, ["run.seed=1", override])
    assert f"'{override}'" in str(caught.value)
    assert "expected key=value" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "found"),
    [("run.seed.x.y=3", "found 1 at run.seed"), ("run.name.x=3", "found 'small' at run.name")],
)
def test_an_override_that_leads_through_a_value_is_refused(main, override, found):
    with pytest.raises(ConfigError) as error:
        load_configuration(main, [override])
    key = override.partition("=")[0]
    place = found.rpartition(" ")[-1]
    written = f"{place}={{{key.removeprefix(f'{place}.')}: ...}}"
    assert str(error.value) == f"Override '{key}': {found}; expected options by name. To replace it, write {written}."


def test_an_override_without_a_key_is_not_said_to_lack_the_equals_sign(main):
    with pytest.raises(ConfigError) as caught:
        load_configuration(main, ["=3"])
    assert "no '='" not in str(caught.value)


@pytest.mark.parametrize("overrides", [["data=wmt20.qe.en_d"], ["system=smal"]])
def test_an_unknown_group_file_comes_with_a_suggestion(main, overrides):
    group, _, name = overrides[0].partition("=")
    with pytest.raises(ConfigError) as caught:
        load_configuration(main, overrides)
    message = str(caught.value)
    assert str(main) in message
    assert str(main.parent / group / name) in message
    assert f"did you mean '{ {'data': 'wmt20.qe.en_de', 'system': 'small'}[group] }'?" in message


def test_group_files_in_json_are_suggested_too(main):
    with pytest.raises(ConfigError, match="did you mean 'wmt19'"):
        load_configuration(main, ["data=wmt9"])


@pytest.mark.parametrize("defaults", ["[data]", "[{data: 3}]", "data", "[{data: {x: 1}}]"])
def test_defaults_of_another_form_are_refused(tmp_path, defaults):
    path = tmp_path / "main.yaml"
    path.write_text(f"defaults: {defaults}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_configuration(path)
    assert f"{path}: defaults:" in str(caught.value)
    assert "'group: name'" in str(caught.value)


def test_defaults_may_name_a_group_that_is_not_there(tmp_path):
    path = tmp_path / "main.yaml"
    path.write_text("defaults: [data: wmt]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_configuration(path)
    assert str(tmp_path / "data" / "wmt") in str(caught.value)


def test_json(tmp_path):
    path = tmp_path / "main.json"
    content = {"run": {"seed": 1, "path": "${_kiwi_assets}/sample"}, "list": [1, None, "x"], "rate": 5e-7}
    path.write_text(json.dumps(content), encoding="utf-8")
    found = load_configuration(path, ["run.seed=2"])
    assert found["run"]["seed"] == 2
    assert (found["list"], found["rate"]) == ([1, None, "x"], 5e-7)


def test_interpolation_of_assets_finds_the_sample(tmp_path):
    path = tmp_path / "main.yaml"
    path.write_text("a: ${_kiwi_assets}/sample/test.src\nb: ${a}\n", encoding="utf-8")
    found = load_configuration(path)
    assert found["a"] == found["b"]
    assert Path(found["a"]).is_file()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("a: 1\nb:\n  a: 1\n  a: 2\n", ["line 4", "duplicate key 'a'"]),
        ("a: 1\nb: [1\nc: 2\n", ["line 3", "not valid YAML"]),
        ("- a\n- b\n", ["found a list", "keys and values"]),
        ("text\n", ["found a str", "keys and values"]),
        ("a: ${nothing}\n", ["nothing", "not found"]),
        ("a: ${nothing:}\n", ["nothing"]),
        ("defaults: [{data: missing}]\n", ["defaults: data: no file", "missing"]),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, content, parts):
    path = tmp_path / "main.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_configuration(path)
    assert [part for part in (str(path), *parts) if part not in str(caught.value)] == []


def test_a_mistake_in_a_group_file_names_that_file(main):
    path = main.parent / "data" / "wmt20.qe.en_de.yaml"
    path.write_text("data:\n  a: 1\n  a: 2\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_configuration(main)
    assert f"{path}, line 3" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_configuration(tmp_path / "main.yaml")
    assert str(tmp_path / "main.yaml") in str(caught.value)


def test_an_empty_file_is_an_empty_configuration(tmp_path):
    path = tmp_path / "main.yaml"
    path.write_text("# nothing\n", encoding="utf-8")
    assert load_configuration(path, ["a.b=1"]) == {"a": {"b": 1}}


@pytest.mark.parametrize("pipeline", ["train", "predict", "evaluate"])
def test_the_examples_load(pipeline):
    assert load_configuration(example_configuration(pipeline))


@pytest.fixture
def kiwi_logger():
    return logging.getLogger("kiwi")


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ({}, logging.INFO),
        ({"verbose": True}, logging.DEBUG),
        ({"quiet": True}, logging.WARNING),
        ({"verbose": True, "quiet": True}, logging.WARNING),
    ],
)
def test_log_levels(kiwi_logger, options, level):
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    configure_logging(**options)
    assert kiwi_logger.level == level
    assert (root.level, root.handlers) == before


def test_a_program_that_logs_keeps_its_own_handlers(kiwi_logger):
    own = list(kiwi_logger.handlers)
    configure_logging()
    assert kiwi_logger.handlers == own


def test_messages_go_to_standard_error_once(kiwi_logger, monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure_logging()
    configure_logging()
    logging.getLogger("kiwi.data.readers").info("a message")
    captured = capsys.readouterr()
    assert captured.err.count("a message") == 1
    assert captured.out == ""


def test_a_log_file_gets_the_messages_of_its_own_run(kiwi_logger, tmp_path):
    configure_logging(log_file=tmp_path / "first.log")
    logging.getLogger("kiwi.lib").info("first ü")
    logging.getLogger("kiwi.lib").debug("detail")
    configure_logging(verbose=True, log_file=tmp_path / "second.log")
    logging.getLogger("kiwi.lib").debug("second")
    first, second = (tmp_path / f"{name}.log" for name in ("first", "second"))
    assert [line.split(" kiwi.lib: ")[1] for line in first.read_text(encoding="utf-8").splitlines()] == ["first ü"]
    assert [line.split(" kiwi.lib: ")[1] for line in second.read_text(encoding="utf-8").splitlines()] == ["second"]


@pytest.mark.parametrize("seed", [0, 42, 2**32 + 1])
def test_the_seed_fixes_every_generator(seed):
    def draw(seed):
        configure_seed(seed)
        return random.random(), np.random.rand(), torch.rand(1).item()

    first = draw(seed)
    assert draw(seed) == first
    assert all(a != b for a, b in zip(first, draw(seed + 1), strict=True))


# Variables.


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("override", "hint"),
    [("_corpu=/data", "did you mean '_corpus'?"), ("_paths.b=/x", "did you mean '_paths.a'?"), ("_zzz=1", "known: ")],
)
def test_an_override_of_an_unknown_variable_is_refused(tmp_path, override, hint):
    path = write(tmp_path / "c.yaml", "defaults: [{data: d}]\n_paths: {a: 1}\nb: ${_paths.a}")
    write(tmp_path / "data" / "d.yaml", "_corpus: x\na: ${_corpus}")
    with pytest.raises(ConfigError) as caught:
        load_configuration(path, [override])
    assert override.partition("=")[0] in str(caught.value)
    assert hint in str(caught.value)
    assert load_configuration(path, ["_corpus=/data", "_paths.a=2"]) == {"a": "/data", "b": 2}


def test_a_variable_that_is_referred_to_and_not_set_may_be_given(tmp_path):
    path = write(tmp_path / "c.yaml", "a: ${_corpus}")
    assert load_configuration(path, ["_corpus=/data"]) == {"a": "/data"}


def test_a_variable_that_nothing_refers_to_warns(tmp_path, caplog):
    write(tmp_path / "data" / "d.yaml", "_corpus: x\n_corpu: y\na: ${_corpus}")
    content = "defaults: [{data: d}]\n_used: 1\n_common: &c {x: 1}\nb: *c\nd: ${_used}"
    load_configuration(write(tmp_path / "c.yaml", content))
    assert [record.getMessage() for record in caplog.records if "_corpu;" in record.getMessage()]
    assert len(caplog.records) == 1


def test_a_variable_whose_reference_is_overridden_does_not_warn(tmp_path, caplog):
    path = tmp_path / "main.yaml"
    path.write_text("_valid: dev.tsv\ndata: {valid: '${_valid}'}\n")
    assert load_configuration(path, ["data.valid=null"]) == {"data": {"valid": None}}
    assert not caplog.records
    load_configuration(path, ["data.valid=null", "_valid=other.tsv"])  # of which nothing comes
    assert "nothing refers to the variable _valid" in caplog.text


def test_variables_of_a_search_and_its_base_configuration(tmp_path, caplog):
    from kiwi.lib.search.config import load_search

    write(tmp_path / "base.yaml", "_corpus: x\n_other: y\ndata: '${_corpus}/${_mine}/${_other}'")
    path = write(tmp_path / "s.yaml", f"_mine: 1\nbase_config: {tmp_path / 'base.yaml'}")
    assert load_search(path, ["_mine=no", "base_config._corpus=z"])["base_config"] == {"data": "z/no/y"}
    assert not caplog.records
    for override, hint in (("_corpus=z", "'base_config._corpus'"), ("base_config._corpu=z", "'_corpus'")):
        with pytest.raises(ConfigError, match=f"did you mean {hint}"):
            load_search(path, [override])


def test_the_names_of_openkiwi(tmp_path):
    path = write(tmp_path / "c.yaml", "a: 1")
    assert file_to_configuration(path) == {"a": 1, "verbose": False, "quiet": False}
    arguments = {"CONFIG_FILE": str(path), "OVERWRITES": ["a=2"], "--quiet": True}
    assert arguments_to_configuration(arguments) == {"a": 2, "verbose": False, "quiet": True}
    with pytest.raises(ConfigError, match="CONFIG_FILE"):
        arguments_to_configuration({})
    save_config_to_file(RunConfig(mlflow_tracking_uri="https://me:pw@host"), tmp_path / "saved.txt")
    assert "https://***@host" in (tmp_path / "saved.yaml").read_text(encoding="utf-8")


def test_the_log_shows_neither_secrets_nor_control_characters(tmp_path, kiwi_logger):
    configure_logging(log_file=tmp_path / "log")
    kiwi_logger.warning("%s %s", "db://me:pw@host/x", "a\x1b[2J")
    configure_logging()
    assert "db://***@host/x a\\x1b[2J" in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.parametrize("value", ["${", "x ${} y", "${a b}", "${a"])
def test_an_interpolation_that_cannot_be_read(tmp_path, value):
    path = tmp_path / "c.yaml"
    path.write_text(f"run: {{output_dir: '{value}'}}\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"run\.output_dir: found an interpolation that cannot be read; expected \$\{name\}"
    ):
        load_configuration(path)


@pytest.mark.parametrize("place", ["/a/${x}/b", r"/a\${x}", r"\\${x}${y}\\", "/${", "/$x}", "/${_corpus}"])
def test_a_configuration_that_is_written_is_read_with_the_same_paths(tmp_path, place):
    write_configuration(tmp_path / "a.yaml", {"data": place, "lists": [place, 1]})
    assert load_configuration(tmp_path / "a.yaml") == {"data": place, "lists": [place, 1]}
    options = {"_corpus": literal(place), "data": "${_corpus}/train.src"}
    (tmp_path / "b.yaml").write_text(to_yaml(options), encoding="utf-8")
    assert load_configuration(tmp_path / "b.yaml") == {"data": f"{place}/train.src"}
    assert load_configuration(tmp_path / "b.yaml", [f"data={literal(place)}", "_corpus=x"]) == {"data": place}


def test_a_search_that_is_written_is_read_with_the_same_paths(tmp_path):
    from kiwi.lib.search.config import Configuration, load_search

    path = "/a/${x}/train.src"
    base = {"data": {"train": {"input": {"source": path}}}}
    write_configuration(tmp_path / "search.yaml", {"directory": "${x}", "base_config": base})
    loaded = load_search(tmp_path / "search.yaml")
    assert (loaded["directory"], loaded["base_config"]) == ("${x}", base)
    assert Configuration.load_base_config(loaded["base_config"]) == base
