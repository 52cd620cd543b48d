"""``trainer.strategy: fsdp``: every process holds a part of each weight, and layers are gathered when they are needed.

Zhao et al. 2023, PyTorch FSDP (arXiv 2304.11277), in its second form, ``torch.distributed.fsdp.fully_shard``.
"""

from __future__ import annotations

from typing import Any

from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from kiwi.exceptions import ConfigError
from kiwi.systems.encoders.transformer import TransformerEncoder
from kiwi.systems.system import System

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
"""Weights as one process has them; given to the first process only."""


class ShardedStrategy(ModelParallelStrategy):
    """Fully sharded data parallelism whose states are kiwi's files.

    Args:
        n_processes: over all machines.
    """

    def __init__(self, n_processes: int) -> None:
        super().__init__(data_parallel_size=n_processes, tensor_parallel_size=1, save_distributed_checkpoint=False)

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """The whole state, by names of weights."""
        return dict(get_optimizer_state_dict(self._module, _plain(optimizer), options=WHOLE))

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a state, and give each process its part."""
        checkpoint: dict[str, Any] = self.checkpoint_io.load_checkpoint(checkpoint_path)
        whole = StateDictOptions(full_state_dict=True)
        set_model_state_dict(self._module, checkpoint["state_dict"], options=whole)
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            set_optimizer_state_dict(self._module, _plain(optimizer), state, options=whole)
        return checkpoint

    @property
    def _module(self) -> nn.Module:
        assert self.model is not None
        return self.model


def _plain(optimizer: Any) -> Any:
    return getattr(optimizer, "_optimizer", optimizer)


def shard(system: System, mesh: Any) -> None:
    """Leave each process its part of a system's weights.

    Args:
        system: with a pretrained encoder.
        mesh: of the processes.

    Raises:
        ConfigError: for another system: recurrent layers hold on to weights that sharding replaces.
    """
    encoder = system.encoder
    if not isinstance(encoder, TransformerEncoder):
        raise ConfigError(
            "trainer.strategy: fsdp is for systems with pretrained encoders, and "
            f"{system.class_name} has none; use ddp."
        )
    if encoder.config.lora is not None or encoder.config.freeze_for_number_of_steps:
        raise ConfigError(
            "trainer.strategy: fsdp does not go together with lora and freeze_for_number_of_steps of "
            "system.model.encoder; use ddp, or freeze and freeze_layers."
        )
    for layer in encoder.layers:
        if not isinstance(layer, nn.ModuleList):  # XLM's are not called as one
            fully_shard(layer, mesh=mesh)
    fully_shard(system, mesh=mesh)
    for method in ("losses", "validate"):
        register_fsdp_forward_method(system, method)
