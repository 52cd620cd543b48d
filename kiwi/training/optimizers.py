"""Optimizers and learning rate schedules, built from the configuration, and the state of optimizers on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from typing_extensions import override

from kiwi.exceptions import CheckpointError
from kiwi.systems.batching import gather_full_tensor
from kiwi.systems.config.optimizer import OptimizerConfig
from kiwi.systems.encoders.base import Encoder
from kiwi.utils.io import staged

HALF_EPS = 1e-4
"""The minimum epsilon of an optimizer of float16 weights."""

OPTIMIZER_FILE = "optimizer.safetensors"


class SparseAndDenseAdam(optim.Optimizer):
    """Lazy Adam (:class:`torch.optim.SparseAdam`) for weights with sparse gradients, Adam for the others.

    Args:
        groups: the parameter groups, with ``params`` and ``lr``.
        sparse: the weights whose gradients are sparse.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], sparse: Iterable[Tensor]) -> None:
        lazy = {id(parameter) for parameter in sparse}
        groups = list(groups)
        super().__init__(
            [
                {**group, "params": [p for p in group["params"] if (id(p) in lazy) == is_lazy], "lazy": is_lazy}
                for group in groups
                for is_lazy in (True, False)
                if any((id(p) in lazy) == is_lazy for p in group["params"])
            ],
            {},
        )

    @override
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            kind: Any = optim.SparseAdam if group["lazy"] else optim.Adam
            inner = kind(group["params"], lr=group["lr"])
            for parameter in group["params"]:
                if parameter in self.state:
                    inner.state[parameter] = self.state[parameter]
            inner.step()
            for parameter in group["params"]:
                if parameter in inner.state:
                    self.state[parameter] = inner.state[parameter]
        return loss


def build_optimizer(system: nn.Module, config: OptimizerConfig) -> optim.Optimizer:
    """Build the optimizer that the configuration names, for all weights that are not frozen.

    Raises:
        CheckpointError: when ``load`` names a state that cannot be read or does not fit the system.
    """
    groups = _parameter_groups(system, config)
    optimizer: optim.Optimizer
    if config.class_name == "sparse_adam":
        sparse = [m.weight for m in system.modules() if isinstance(m, nn.Embedding) and m.sparse]
        optimizer = SparseAndDenseAdam(groups, sparse)
    elif config.class_name == "noam":
        optimizer = optim.Adam(groups, betas=(0.9, 0.98), eps=1e-9, **_fused_option(groups))
    else:
        kinds: dict[str, Any] = {
            "sgd": optim.SGD,
            "averaged_sgd": optim.ASGD,
            "adam": partial(optim.Adam, **_fused_option(groups)),
            "adamw": partial(optim.AdamW, **_fused_option(groups)),
            "adagrad": optim.Adagrad,
            "adadelta": optim.Adadelta,
            "adamax": optim.Adamax,
            "rmsprop": optim.RMSprop,
        }
        optimizer = kinds[config.class_name](groups)
    if any(weight.dtype == torch.float16 for weight in system.parameters()):
        for group in optimizer.param_groups:
            if "eps" in group:  # the defaults round to 0 in 16 bits, and 0/0 follows where a gradient is 0
                group["eps"] = max(group["eps"], HALF_EPS)
    if config.load is not None:
        load_optimizer_state(optimizer, system, config.load)
    return optimizer


def _fused_option(groups: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the option of Adam that makes a CPU pass over each weight once, where torch by default passes ten times.

    The default is fast on a GPU, where fused steps also exclude gradient clipping when gradients are scaled. Sharded
    weights (FSDP) and weights of 16 bits use the default too.
    """
    weights = [weight for group in groups for weight in group["params"]]
    plain = all(w.device.type == "cpu" and w.dtype == torch.float32 and not hasattr(w, "full_tensor") for w in weights)
    return {"fused": True} if plain else {}


def _parameter_groups(system: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Group the weights that are not frozen by learning rate: those of the encoder first, by layer if configured."""
    encoder = getattr(system, "encoder", None)
    depths = encoder.depths() if isinstance(encoder, Encoder) else {}
    encoder_rate = config.encoder_learning_rate or config.learning_rate
    by_rate: dict[tuple[bool, float], list[Tensor]] = {}
    for name, weight in system.named_parameters():
        in_encoder = name.startswith("encoder.")
        depth = depths.get(name.removeprefix("encoder."), 0) if in_encoder else 0
        rate = encoder_rate * config.layerwise_lr_decay**depth if in_encoder else config.learning_rate
        if weight.requires_grad:
            by_rate.setdefault((in_encoder, rate), []).append(weight)
    in_order = sorted(by_rate.items(), key=lambda item: not item[0][0])
    return [{"params": weights, "lr": rate} for (_, rate), weights in in_order]


def build_schedule(
    optimizer: optim.Optimizer, config: OptimizerConfig, training_steps: int, *, higher_is_better: bool
) -> LambdaLR | ReduceLROnPlateau | None:
    """Build the schedule that the configuration asks for: per step or, for a plateau, per epoch on the main metric.

    Args:
        optimizer: the optimizer whose learning rates the schedule sets.
        config: the options of the optimizer.
        training_steps: the number of optimizer steps of the whole run.
        higher_is_better: whether a higher main metric is better.

    Returns:
        The schedule; None when the learning rates are constant.
    """
    if config.has_plateau:
        return ReduceLROnPlateau(
            optimizer,
            mode="max" if higher_is_better else "min",
            factor=config.learning_rate_decay,
            patience=config.learning_rate_decay_start,
            threshold=0.0,
        )
    total = config.training_steps or training_steps
    share = config.warmup_steps
    warmup = round(share * total) if isinstance(share, float) else share or 0
    if config.class_name == "noam":
        return LambdaLR(optimizer, lambda step: noam_factor(step + 1, max(warmup, 1)))
    if config.warmup_steps is None and config.training_steps is None:
        return None
    return LambdaLR(optimizer, lambda step: linear_factor(step, warmup, total))


def linear_factor(step: int, warmup: int, total: int) -> float:
    """Rise linearly to 1 over ``warmup`` steps, then fall linearly to 0 at ``total``; ``step`` counts from 0."""
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (total - step) / max(1, total - warmup))


def noam_factor(step: int, warmup: int) -> float:
    """Rise linearly to 1 at ``warmup``, then fall with the inverse square root; ``step`` counts from 1.

    Vaswani et al. 2017, arXiv 1706.03762.
    """
    return min(step / warmup, math.sqrt(warmup / step))


def save_optimizer_state(optimizer: optim.Optimizer, system: nn.Module, path: Path, *, write: bool = True) -> None:
    """Write the optimizer's state of each weight (moments, step counts) atomically, by the name of the weight.

    Args:
        optimizer: the optimizer of the system.
        system: the system that was trained.
        path: the path of the file.
        write: whether this process writes the file; all processes have to call the function.
    """
    names: dict[Tensor, str] = {parameter: name for name, parameter in system.named_parameters()}
    tensors = {
        f"{names[parameter]}/{key}": gather_full_tensor(torch.as_tensor(value).detach()).cpu().contiguous()
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
        if value is not None
    }
    if not write:
        return
    with staged(path) as stage:
        save_file(tensors, stage, metadata={"optimizer": type(optimizer).__name__})


def find_optimizer_state(path: Path) -> Path:
    """Return the file of an optimizer's state.

    Args:
        path: the file, or the directory of a run.

    Raises:
        CheckpointError: when there is no such file.
    """
    file = path / OPTIMIZER_FILE if path.is_dir() else path
    if not file.is_file():
        found = f"found a directory without {OPTIMIZER_FILE}" if path.is_dir() else "found no such file"
        raise CheckpointError(
            f"system.optimizer.load: {path}: {found}; expected the {OPTIMIZER_FILE} of a run that has finished, or the "
            "directory of that run. Name one of them, or remove system.optimizer.load to start with a new optimizer."
        )
    return file


def load_optimizer_state(optimizer: optim.Optimizer, system: nn.Module, path: Path) -> None:
    """Read a state that :func:`save_optimizer_state` wrote.

    Args:
        optimizer: the optimizer that gets the state.
        system: the system that it trains.
        path: the file, or the directory of a run.

    Raises:
        CheckpointError: when the file cannot be read, or belongs to another optimizer or another system.
    """
    path = find_optimizer_state(path)
    parameters = dict(system.named_parameters())
    try:
        with safe_open(path, framework="pt") as file:
            kind = (file.metadata() or {}).get("optimizer")
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: the state of an optimizer cannot be read: {error}.") from error
    if kind != type(optimizer).__name__:
        raise CheckpointError(f"{path}: found the state of {kind}; expected one of {type(optimizer).__name__}.")
    for name, tensor in tensors.items():
        parameter_name, _, key = name.rpartition("/")
        parameter = parameters.get(parameter_name)
        if parameter is None or (tensor.dim() > 0 and tensor.shape != parameter.shape):
            raise CheckpointError(f"{path}: '{parameter_name}' does not fit this system.")
        value = tensor.item() if kind == "SparseAndDenseAdam" and tensor.dtype == torch.int64 else tensor
        optimizer.state[parameter][key] = value
