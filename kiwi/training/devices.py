"""The processes of a run, which of them this one is, and what they gather; importing it does not load Lightning."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kiwi.training.config import TrainerConfig

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


def count_cpu_processes() -> int:
    """Return the number of processes on this machine that train on the CPU: as many as torchrun has started, or one."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def count_processes(config: TrainerConfig) -> int:
    """Return the number of processes of a run, on all machines."""
    if config.gpus == 0:
        n_here = count_cpu_processes()
    elif isinstance(config.gpus, list):
        n_here = len(config.gpus)
    elif config.gpus == -1:
        import torch

        n_here = torch.cuda.device_count()
    else:
        n_here = config.gpus
    return n_here * config.num_nodes


def is_first_process() -> bool:
    """Return whether this is the process that writes files.

    torchrun and SLURM number the processes of all machines; Lightning numbers those that it starts on each machine.
    """
    if "RANK" in os.environ:
        return os.environ["RANK"] == "0"
    if os.environ.get("SLURM_NTASKS", "1") != "1":
        return os.environ.get("SLURM_PROCID", "0") == "0"
    return os.environ.get("NODE_RANK", "0") == "0" and os.environ.get("LOCAL_RANK", "0") == "0"


def was_started_by_launcher() -> bool:
    """Return whether a launcher started this process, so that it cannot agree with the others on random choices."""
    several = os.environ.get("SLURM_NTASKS", "1") != "1"
    return several or any(name in os.environ for name in ("RANK", "NODE_RANK"))


def gather_objects(trainer: Trainer, mine: Any) -> list[Any]:
    """Return the objects of all processes, in the order of their ranks."""
    if trainer.world_size == 1:
        return [mine]
    import torch

    objects: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(objects, mine)
    return objects
