from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kiwi.exceptions import ConfigError, MissingExtraError
from kiwi.lib.train import train_from_configuration
from kiwi.runner import load_system
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.qe_system import QESystem
from tests.pretrained import FAMILIES, write_model
from tests.systems.test_transformer import CLASSES, SOURCE, TARGET, build, flat, model_options

Options = Callable[..., dict[str, Any]]
LORA = {"rank": 2, "alpha": 8.0, "dropout": 0.1}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {family: write_model(family, root / family) for family in FAMILIES}


@pytest.fixture
def lora_options(options: Options, folders: dict[str, Path]) -> Options:
    def make(changes: dict[str, Any] | None = None, family: str = "bert", **encoder: Any) -> dict[str, Any]:
        model = model_options(folders[family], **({"lora": LORA} | encoder))
        rates = {"system.optimizer": {"class_name": "adam", "learning_rate": 0.05}}
        base = {"system.class_name": CLASSES.get(family, "Transformer"), "system.model": model, **rates}
        return options(base | (changes or {}))

    return make


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_saved_has_the_adapters_in_its_weights(
    family: str, lora_options: Options, folders: dict[str, Path]
) -> None:
    """Without peft's names, and with the same predictions as the model that was trained."""
    info = train_from_configuration(lora_options(family=family))
    assert info.best_model_path is not None
    system = QESystem.load(info.best_model_path)
    fresh = build(folders[family], CLASSES.get(family, "Transformer"))
    assert set(system.state_dict()) == set(fresh.state_dict())
    expected = flat(runner_of(info.model).predict(SOURCE, TARGET))
    assert flat(load_system(info.best_model_path).predict(SOURCE, TARGET)) == pytest.approx(expected, abs=1e-4)
    assert expected != pytest.approx(flat(runner_of(fresh).predict(SOURCE, TARGET)), abs=1e-3)


def test_only_adapters_are_trained(lora_options: Options, folders: dict[str, Path]) -> None:
    info = train_from_configuration(lora_options(freeze_layers=1, lora=LORA | {"modules": ["query", "value"]}))
    before, after = build(folders["bert"]).state_dict(), info.model.state_dict()
    body = {name: weight for name, weight in after.items() if name.startswith("encoder.body.")}
    adapters = {name for name in body if ".lora_" in name}
    assert {name.split(".")[4] for name in adapters} == {"1", "2"}
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in adapters} == {"query", "value"}
    for name, weight in body.items():
        if name not in adapters:
            assert torch.equal(weight, before[name.replace(".base_layer", "")]), name
    moved = {n for n, w in QESystem.load(Path(str(info.best_model_path))).state_dict().items() if "body" in n}
    merged = QESystem.load(Path(str(info.best_model_path))).state_dict()
    changed = {name for name in moved if not torch.equal(merged[name], before[name])}
    assert {name.rpartition("self.")[2] for name in changed} == {"query.weight", "value.weight"}


def test_training_goes_on_with_new_adapters(lora_options: Options, tmp_path: Path) -> None:
    first = train_from_configuration(lora_options())
    changes = {"system.class_name": None, "system.load": str(first.best_model_path)}
    changes |= {"run.output_dir": str(tmp_path / "second"), "system.model": {"encoder": {"lora": {"rank": 3}}}}
    second = train_from_configuration(lora_options(changes))
    ranks = {w.shape[0] for name, w in second.model.state_dict().items() if ".lora_A." in name}
    assert ranks == {3}


def test_adapters_with_kept_states_and_checkpointing(lora_options: Options) -> None:
    changes = {"trainer.epochs": 2}
    info = train_from_configuration(lora_options(changes, freeze_layers=1, gradient_checkpointing=True))
    assert any(".lora_B." in name and weight.any() for name, weight in info.model.state_dict().items())


def test_a_layer_that_is_not_there(lora_options: Options) -> None:
    with pytest.raises(ConfigError, match=r"lora\.modules: 'querry' is not a linear layer .* did you mean 'query'"):
        train_from_configuration(lora_options(lora={"modules": ["querry"]}))


def test_frozen_models_get_no_adapters(lora_options: Options) -> None:
    with pytest.raises(ConfigError, match=r"system\.model\.encoder\.lora: freeze freezes the whole model"):
        train_from_configuration(lora_options(freeze=True))


def test_without_peft(lora_options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"needs 'peft'.*pip install '\.\[lora\]"):
        train_from_configuration(lora_options())
