from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.config.optimizer import OptimizerConfig
from kiwi.training.optimizers import (
    build_optimizer,
    build_schedule,
    linear_factor,
    load_optimizer_state,
    noam_factor,
    save_optimizer_state,
)

NAMES = ["sgd", "averaged_sgd", "adam", "noam", "sparse_adam", "adamw", "adagrad", "adadelta", "adamax", "rmsprop"]
RATES = {"sgd": 0.1, "averaged_sgd": 0.1, "adagrad": 0.1, "adadelta": 10.0}


class Tiny(nn.Module):
    """Six words, each with a number to learn."""

    def __init__(self, *, sparse: bool = False, freeze: bool = False, width: int = 3) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.encoder = nn.Embedding(6, width, sparse=sparse)
        self.encoder.weight.requires_grad_(not freeze)
        self.outputs = nn.Linear(width, 1)

    def loss(self, words: Tensor | None = None) -> Tensor:
        words = torch.arange(6) if words is None else words
        wanted = torch.tensor([0.0, 1.0, 0.5, -1.0, 2.0, 0.25])[words]
        return (self.outputs(self.encoder(words)).squeeze(-1) - wanted).pow(2).mean()


def config(name: str, **options: Any) -> OptimizerConfig:
    options = {"learning_rate": RATES.get(name, 0.05), **({"warmup_steps": 5} if name == "noam" else {}), **options}
    return OptimizerConfig.from_dict({"class_name": name, **options})


def train(system: Tiny, optimizer: torch.optim.Optimizer, steps: int, words: list[list[int]] | None = None) -> float:
    for step in range(steps):
        optimizer.zero_grad()
        loss = system.loss(None if words is None else torch.tensor(words[step % len(words)]))
        loss.backward()
        optimizer.step()
    return system.loss().item()


def weights(system: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in system.parameters()]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_lowers_the_loss(name: str) -> None:
    system = Tiny()
    before = system.loss().item()
    assert train(system, build_optimizer(system, config(name)), 40) < before / 2


@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled:UserWarning")
@pytest.mark.parametrize("name", ["sgd", "adagrad", "sparse_adam"])
def test_those_that_take_sparse_gradients(name: str) -> None:
    system = Tiny(sparse=True)
    before = system.loss().item()
    assert train(system, build_optimizer(system, config(name)), 40) < before / 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("averaged_sgd", torch.optim.ASGD),
        ("adam", torch.optim.Adam),
        ("noam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("adagrad", torch.optim.Adagrad),
        ("adadelta", torch.optim.Adadelta),
        ("adamax", torch.optim.Adamax),
        ("rmsprop", torch.optim.RMSprop),
    ],
)
def test_names_are_torchs_algorithms(name: str, kind: Any) -> None:
    ours, theirs = Tiny(), Tiny()
    options: dict[str, Any] = {"betas": (0.9, 0.98), "eps": 1e-9} if name == "noam" else {}
    if name in ("adam", "adamw", "noam"):  # below, these are compared with the default ones
        options["fused"] = True
    rate = config(name).learning_rate
    train(ours, build_optimizer(ours, config(name)), 5)
    train(theirs, kind(theirs.parameters(), lr=rate, **options), 5)
    assert equal(weights(ours), weights(theirs))


def test_sparse_adam_is_lazy_on_sparse_embeddings_and_adam_elsewhere() -> None:
    words = [[0, 1], [1, 2], [0, 0, 4]]
    ours, theirs = Tiny(sparse=True), Tiny(sparse=True)
    optimizer = build_optimizer(ours, config("sparse_adam"))
    lazy = torch.optim.SparseAdam([theirs.encoder.weight], lr=0.05)
    dense = torch.optim.Adam(theirs.outputs.parameters(), lr=0.05)
    for step in range(7):
        for system in (ours, theirs):
            system.zero_grad()
            system.loss(torch.tensor(words[step % 3])).backward()
        optimizer.step()
        lazy.step()
        dense.step()
    assert equal(weights(ours), weights(theirs))
    # Words 3 and 5 were never seen; lazy means that they have not moved.
    assert torch.equal(ours.encoder.weight[[3, 5]], Tiny().encoder.weight[[3, 5]])


def test_the_encoder_has_its_own_rate() -> None:
    system = Tiny()
    before = weights(system)
    optimizer = build_optimizer(system, config("sgd", learning_rate=0.5, encoder_learning_rate=0.25))
    system.loss().backward()
    gradients = [weight.grad for weight in system.parameters()]
    optimizer.step()
    for rate, old, new, gradient in zip((0.25, 0.5, 0.5), before, weights(system), gradients, strict=True):
        assert gradient is not None
        torch.testing.assert_close(new, old - rate * gradient)


@pytest.mark.parametrize("name", ["adam", "sparse_adam"])
def test_frozen_weights_stay(name: str) -> None:
    system = Tiny(freeze=True)
    before = weights(system)
    train(system, build_optimizer(system, config(name)), 3)
    assert torch.equal(system.encoder.weight, before[0])
    assert not torch.equal(system.outputs.weight, before[1])


# Schedules.


def rates(options: OptimizerConfig, training_steps: int, count: int) -> list[float]:
    """Return the learning rate of each optimizer step, as a share of the configured one."""
    system = Tiny()
    optimizer = build_optimizer(system, options)
    schedule = build_schedule(optimizer, options, training_steps, higher_is_better=True)
    assert isinstance(schedule, LambdaLR)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"] / options.learning_rate)
        optimizer.step()
        schedule.step()
    return found


RISE_AND_FALL = [0.25, 0.5, 0.75, 1.0, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0.0, 0.0]


@pytest.mark.parametrize(
    ("options", "training_steps", "expected"),
    [
        ({"warmup_steps": 4}, 10, RISE_AND_FALL),
        ({"warmup_steps": 0.4}, 10, RISE_AND_FALL),
        # The number of steps of the configuration has precedence.
        ({"warmup_steps": 4, "training_steps": 10}, 999, RISE_AND_FALL),
        ({"warmup_steps": 0.4, "training_steps": 10}, 999, RISE_AND_FALL),
        ({"training_steps": 4}, 999, [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]),
        ({"warmup_steps": 0}, 4, [1.0, 0.75, 0.5, 0.25, 0.0]),
        ({"warmup_steps": 0.0}, 4, [1.0, 0.75, 0.5, 0.25, 0.0]),
        # An integer 1 is one step, a float 1.0 all of them.
        ({"warmup_steps": 1}, 4, [1.0, 1.0, 2 / 3, 1 / 3, 0.0]),
        ({"warmup_steps": 1.0}, 4, [0.25, 0.5, 0.75, 1.0]),
    ],
)
def test_linear_rise_then_fall_to_zero(options: dict[str, Any], training_steps: int, expected: list[float]) -> None:
    found = rates(config("sgd", **options), training_steps, len(expected))
    assert found == pytest.approx(expected)


def test_both_rates_follow_the_schedule() -> None:
    options = config("sgd", warmup_steps=4, learning_rate=1.0, encoder_learning_rate=0.1)
    optimizer = build_optimizer(Tiny(), options)
    build_schedule(optimizer, options, 10, higher_is_better=True)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.025, 0.25])


def test_noam_rises_then_falls_with_the_root() -> None:
    found = rates(config("noam", warmup_steps=4), 999, 16)
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[4:] == pytest.approx([math.sqrt(4 / step) for step in range(5, 17)])
    assert rates(config("noam", warmup_steps=0.25), 16, 4) == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_noam_has_no_end(caplog: pytest.LogCaptureFixture) -> None:
    found = rates(config("noam", warmup_steps=4, training_steps=8), 999, 16)
    assert found == pytest.approx(rates(config("noam", warmup_steps=4), 999, 16))
    assert [message.split(":")[0] for message in caplog.messages] == ["optimizer.training_steps is ignored"]
    # A share of warm-up is one of the configured steps.
    assert rates(config("noam", warmup_steps=0.25, training_steps=16), 999, 4) == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(("step", "factor"), [(1, 0.1), (5, 0.5), (10, 1.0), (40, 0.5), (1000, 0.1)])
def test_noam_factors(step: int, factor: float) -> None:
    assert noam_factor(step, 10) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("step", "warmup", "total", "factor"),
    [(0, 0, 10, 1.0), (0, 10, 10, 0.1), (9, 10, 10, 1.0), (10, 10, 10, 0.0), (11, 10, 10, 0.0), (5, 8, 4, 0.75)],
)
def test_linear_factors(step: int, warmup: int, total: int, factor: float) -> None:
    assert linear_factor(step, warmup, total) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("higher_is_better", "metrics", "expected"),
    [
        # Two epochs without improvement are borne, the third lowers the rate.
        (True, [0.5, 0.5, 0.4, 0.3, 0.6], [1, 1, 1, 0.5, 0.5]),
        (False, [0.5, 0.5, 0.6, 0.7, 0.4], [1, 1, 1, 0.5, 0.5]),
        # The smallest improvement is one.
        (True, [0.5, 0.4, 0.4, 0.500001, 0.4, 0.4], [1] * 6),
        (True, [0.5] + [0.4] * 6, [1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
    ],
)
def test_plateau(higher_is_better: bool, metrics: list[float], expected: list[float]) -> None:
    options = config("sgd", learning_rate=1.0, learning_rate_decay=0.5)
    optimizer = build_optimizer(Tiny(), options)
    schedule = build_schedule(optimizer, options, 10, higher_is_better=higher_is_better)
    assert isinstance(schedule, ReduceLROnPlateau)
    found = []
    for metric in metrics:
        schedule.step(metric)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == expected


def test_plateau_waits_as_long_as_configured() -> None:
    options = config("sgd", learning_rate=1.0, learning_rate_decay=0.1, learning_rate_decay_start=0)
    optimizer = build_optimizer(Tiny(), options)
    schedule: Any = build_schedule(optimizer, options, 10, higher_is_better=True)
    schedule.step(0.5)
    schedule.step(0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "noam"])
def test_no_schedule_unless_configured(name: str) -> None:
    options = config(name)
    assert build_schedule(build_optimizer(Tiny(), options), options, 10, higher_is_better=True) is None


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ({"class_name": "adm"}, ["class_name"]),
        ({"learning_rate": 0}, ["learning_rate"]),
        ({"learning_rate": -1.0}, ["learning_rate"]),
        ({"encoder_learning_rate": 0.0}, ["encoder_learning_rate"]),
        ({"warmup_steps": -1}, ["warmup_steps"]),
        ({"warmup_steps": 1.5}, ["warmup_steps"]),
        ({"training_steps": 0}, ["training_steps"]),
        ({"learning_rate_decay": -0.1}, ["learning_rate_decay"]),
        ({"learning_rate_decay": 0.5, "warmup_steps": 5}, ["learning_rate_decay", "warmup_steps"]),
        ({"learning_rate_decay": 0.5, "training_steps": 5}, ["learning_rate_decay", "training_steps"]),
        ({"class_name": "noam"}, ["noam needs warmup_steps"]),
        ({"class_name": "noam", "warmup_steps": 5, "learning_rate_decay": 0.5}, ["learning_rate_decay", "noam"]),
        ({"class_name": "noam", "training_steps": 9}, ["noam needs warmup_steps"]),
        ({"learning_rates": 1.0}, ["learning_rates: unknown key; did you mean 'learning_rate'?"]),
    ],
)
def test_configuration_errors(options: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        OptimizerConfig.from_dict({"class_name": "adam", "learning_rate": 0.1, **options})
    for message in messages:
        assert message in str(error.value)


def test_defaults() -> None:
    assert OptimizerConfig.from_dict({"class_name": "adam", "learning_rate": 0.1}).model_dump() == {
        "class_name": "adam",
        "learning_rate": 0.1,
        "encoder_learning_rate": None,
        "layerwise_lr_decay": 1.0,
        "warmup_steps": None,
        "training_steps": None,
        "learning_rate_decay": 1.0,
        "learning_rate_decay_start": 2,
        "load": None,
    }


# State on disk.


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_state_continues_identically(name: str, tmp_path: Path) -> None:
    words = [[0, 1, 2], [2, 3], [4, 5, 0]]
    system = Tiny(sparse=name == "sparse_adam")
    optimizer = build_optimizer(system, config(name))
    train(system, optimizer, 6, words)
    save_optimizer_state(optimizer, system, tmp_path / "optimizer.safetensors")
    copy = Tiny(sparse=name == "sparse_adam")
    copy.load_state_dict(system.state_dict())
    restored = build_optimizer(copy, config(name, load=tmp_path / "optimizer.safetensors"))
    train(system, optimizer, 6, words)
    train(copy, restored, 6, words)
    assert equal(weights(copy), weights(system))
    if name != "sgd":  # which has no state
        fresh = Tiny(sparse=name == "sparse_adam")
        fresh.load_state_dict(copy.state_dict())
        assert restored.state


def test_a_fresh_state_would_not(tmp_path: Path) -> None:
    system, copy = Tiny(), Tiny()
    optimizer = build_optimizer(system, config("adam"))
    train(system, optimizer, 6)
    copy.load_state_dict(system.state_dict())
    train(system, optimizer, 6)
    train(copy, build_optimizer(copy, config("adam")), 6)
    assert not equal(weights(copy), weights(system))


@pytest.mark.parametrize(("saved", "wanted"), [("adam", "rmsprop"), ("adam", "sparse_adam"), ("sgd", "adam")])
def test_the_state_of_another_optimizer_is_refused(saved: str, wanted: str, tmp_path: Path) -> None:
    path, system = tmp_path / "optimizer.safetensors", Tiny()
    optimizer = build_optimizer(system, config(saved))
    train(system, optimizer, 2)
    save_optimizer_state(optimizer, system, path)
    with pytest.raises(CheckpointError) as error:
        build_optimizer(Tiny(), config(wanted, load=path))
    assert str(path) in str(error.value)
    assert f"found the state of {type(optimizer).__name__}" in str(error.value)


@pytest.mark.parametrize("other", [Tiny(width=4), nn.Sequential(nn.Linear(3, 1))])
def test_the_state_of_another_system_is_refused(other: nn.Module, tmp_path: Path) -> None:
    path, system = tmp_path / "optimizer.safetensors", Tiny()
    optimizer = build_optimizer(system, config("adam"))
    train(system, optimizer, 2)
    save_optimizer_state(optimizer, system, path)
    with pytest.raises(CheckpointError) as error:
        load_optimizer_state(torch.optim.Adam(other.parameters()), other, path)
    assert str(path) in str(error.value)
    assert "does not fit this system" in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"junk", b"\x80\x04\x95"])
def test_a_state_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "optimizer.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        build_optimizer(Tiny(), config("adam", load=path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1.5])
def test_a_decay_outside_its_range_is_not_used(decay: float) -> None:
    options = OptimizerConfig.from_dict({"class_name": "adam", "learning_rate": 0.1, "learning_rate_decay": decay})
    assert build_schedule(build_optimizer(Tiny(), options), options, 10, higher_is_better=True) is None


@pytest.mark.parametrize("name", ["adam", "adamw", "noam", "adamax", "rmsprop", "adagrad", "adadelta"])
def test_weights_of_16_bits_stay_finite_where_no_gradient_is(name: str) -> None:
    table = nn.Embedding(3, 2).half()
    options = OptimizerConfig.from_dict({"class_name": name, "learning_rate": 0.01, "warmup_steps": 1})
    optimizer = build_optimizer(table, options)
    table(torch.tensor([0])).sum().backward()
    optimizer.step()
    assert torch.isfinite(table.weight).all()


@pytest.mark.parametrize("name", ["adam", "adamw", "noam"])
def test_adam_is_fused_on_the_cpu_and_computes_the_same(name: str) -> None:
    fused, plain = Tiny(), Tiny()
    optimizer = build_optimizer(fused, config(name))
    assert optimizer.defaults["fused"]
    kind: Any = type(optimizer)
    options = {key: optimizer.defaults[key] for key in ("betas", "eps", "weight_decay")}
    train(fused, optimizer, 20)
    train(plain, kind(plain.parameters(), lr=0.05, foreach=False, **options), 20)
    for ours, theirs in zip(weights(fused), weights(plain), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precision_have_the_default_adam(dtype: torch.dtype) -> None:
    assert not build_optimizer(Tiny().to(dtype), config("adam")).defaults["fused"]
