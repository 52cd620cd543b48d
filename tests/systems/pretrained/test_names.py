"""Names of encoders and trained systems: paths, names on the hub, and sizes that no model has."""

import json

import pytest

from kiwi.exceptions import ConfigError
from kiwi.systems.manifest.locations import resolve_run_directory
from kiwi.systems.pretrained.hub import ask_hub, is_path, locate
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.pretrained.sizes import check_config_sizes


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "encoders").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("name", ["./e5", "../e5", "/opt/e5", "a/b/c", "encoders/typo", "e5/", "a b", "~x/e5", ".e5"])
def test_a_mistyped_path_is_said_at_once(here, name):
    assert is_path(name)
    with pytest.raises(ConfigError, match="is not a folder on this machine"):
        Pretrained.from_model(name)


@pytest.mark.parametrize("name", ["bert-base-multilingual-cased", "intfloat/multilingual-e5-small", "a/b.c-d_e"])
def test_names_on_the_hub_are_no_paths(here, name):
    assert not is_path(name)


def test_the_hub_is_asked_once(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    reason = ask_hub("organization/name")
    assert reason
    assert "\n" not in reason


def test_the_directory_of_a_run_stands_for_its_best_model(here):
    run = here / "home" / "run"
    (run / "best_model").mkdir(parents=True)
    assert locate("~/run") == run
    (run / "best_model" / "config.yaml").touch()
    assert locate("~/run") == locate(run) == run / "best_model"
    assert resolve_run_directory("~/run/best_model") == run / "best_model"
    assert str(locate("encoders/typo")) == "encoders/typo"  # and no question to the hub


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"num_labels": 10**10}, "num_labels"),
        ({"text_config": {"hidden_size": 10**9}}, "hidden_size"),
        ({"vocab_size": 10**12}, "vocab_size"),
    ],
)
def test_sizes_that_no_model_has_are_refused_by_name(tmp_path, options, name):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", **options}), encoding="utf-8")
    with pytest.raises(ValueError, match=f"{name}: found"):
        check_config_sizes(tmp_path)
    with pytest.raises(ConfigError, match=f"{name}: found"):
        Pretrained.from_model(str(tmp_path))


def test_sizes_of_models_are_accepted(tmp_path):
    options = {"num_labels": 3, "vocab_size": 250037, "max_position_embeddings": 10485760, "rope_theta": 500000000}
    (tmp_path / "config.json").write_text(json.dumps(options), encoding="utf-8")
    check_config_sizes(tmp_path)
