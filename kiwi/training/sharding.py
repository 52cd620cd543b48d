"""The strategy ``fsdp``: each process holds a shard of every weight, and layers are gathered when they are needed.

Zhao et al. 2023, PyTorch FSDP (arXiv 2304.11277), in its second version, ``torch.distributed.fsdp.fully_shard``.
"""

from __future__ import annotations

from typing import Any

from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from typing_extensions import override

from kiwi.exceptions import ConfigError
from kiwi.systems.encoders.transformer import TransformerEncoder
from kiwi.systems.system import System

FULL_ON_CPU = StateDictOptions(full_state_dict=True, cpu_offload=True)
"""The options that gather full tensors, on the first process only."""


class ShardedStrategy(ModelParallelStrategy):
    """Fully sharded data parallelism that saves its state in kiwi's files.

    Args:
        n_processes: the number of processes on all machines.
    """

    def __init__(self, n_processes: int) -> None:
        super().__init__(data_parallel_size=n_processes, tensor_parallel_size=1, save_distributed_checkpoint=False)

    @override
    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """Return the full state, by the names of the weights."""
        return dict(get_optimizer_state_dict(self._module, _unwrap(optimizer), options=FULL_ON_CPU))

    @override
    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a state, and load the shards of this process."""
        checkpoint: dict[str, Any] = self.checkpoint_io.load_checkpoint(checkpoint_path)
        full = StateDictOptions(full_state_dict=True)
        set_model_state_dict(self._module, checkpoint["state_dict"], options=full)
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            set_optimizer_state_dict(self._module, _unwrap(optimizer), state, options=full)
        return checkpoint

    @property
    def _module(self) -> nn.Module:
        assert self.model is not None
        return self.model


def _unwrap(optimizer: Any) -> Any:
    return optimizer.optimizer if isinstance(optimizer, LightningOptimizer) else optimizer


def shard(system: System, mesh: Any) -> None:
    """Shard the weights of a system across processes.

    Args:
        system: a system with a pretrained encoder.
        mesh: the device mesh of the processes.

    Raises:
        ConfigError: for any other system, because recurrent layers keep references to weights that sharding replaces.
    """
    encoder = system.encoder
    if not isinstance(encoder, TransformerEncoder):
        raise ConfigError(
            "trainer.strategy: fsdp is for systems with pretrained encoders, and "
            f"{system.class_name} has none; use ddp."
        )
    if encoder.config.lora is not None or encoder.config.freeze_for_number_of_steps:
        raise ConfigError(
            "trainer.strategy: fsdp does not support lora and freeze_for_number_of_steps of system.model.encoder; "
            "use ddp, or freeze and freeze_layers."
        )
    for layer in encoder.layers:
        if not isinstance(layer, nn.ModuleList):  # the layers of XLM are never called as a module
            fully_shard(layer, mesh=mesh)
    fully_shard(system, mesh=mesh)
    for method in ("losses", "validate"):
        register_fsdp_forward_method(system, method)
