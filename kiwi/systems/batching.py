"""Batches as tensors, the loaders that prepare them, and the gathering of sharded tensors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from kiwi.data.batch import NumpyBatch, QEBatch


def as_tensors(batch: NumpyBatch, device: torch.device | str = "cpu") -> QEBatch[Tensor]:
    """Convert a batch of arrays to tensors, which on the CPU share the memory of the arrays."""
    tensors: dict[str, Any] = {name: torch.from_numpy(array).to(device) for name, array in batch.arrays().items()}
    post_edit = None if batch.post_edit is None else as_tensors(batch.post_edit, device)
    return QEBatch(**tensors, post_edit=post_edit)


def gather_full_tensor(tensor: Tensor) -> Tensor:
    """Return a tensor, gathered from all processes if it is sharded; every process has to call this."""
    gather = getattr(tensor, "full_tensor", None)  # only DTensor has it, and importing that class is slow
    return tensor if gather is None else gather()


def build_loader(
    rows: Any, batches: Iterable[list[int]], collate: Callable[[Any], NumpyBatch], workers: int
) -> DataLoader[Any]:
    """Build a loader of batches of arrays.

    Args:
        rows: the segments; ``rows[i]`` is the row of one.
        batches: the indices of the rows of each batch.
        collate: the function that makes a batch of rows.
        workers: the number of processes that prepare batches, at most one per core; 0 prepares them in this process.
    """
    workers = min(workers, os.cpu_count() or 1)
    return DataLoader(
        rows,
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        generator=torch.Generator(),  # each pass draws from it, and a resumed run makes fewer passes
    )
