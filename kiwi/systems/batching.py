"""Batches of arrays as tensors, and the loaders that make them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from kiwi.data.batch import NumpyBatch, QEBatch


def as_tensors(batch: NumpyBatch, device: torch.device | str = "cpu") -> QEBatch[Tensor]:
    """The same batch as tensors, which on the CPU share the memory of the arrays."""
    tensors: dict[str, Any] = {name: torch.from_numpy(array).to(device) for name, array in batch.arrays().items()}
    post_edit = None if batch.post_edit is None else as_tensors(batch.post_edit, device)
    return QEBatch(**tensors, post_edit=post_edit)


def whole(tensor: Tensor) -> Tensor:
    """The tensor itself, or the whole of one that several processes hold in parts: all of them have to ask."""
    gather = getattr(tensor, "full_tensor", None)  # of DTensor, which is slow to import
    return tensor if gather is None else gather()


def build_loader(
    rows: Any, batches: Iterable[list[int]], collate: Callable[[Any], NumpyBatch], workers: int
) -> DataLoader[Any]:
    """A loader of batches of arrays.

    Args:
        rows: ``rows[i]`` is a segment's row.
        batches: indices of each batch.
        collate: rows to a batch.
        workers: processes that prepare batches, at most one a core; 0 prepares them in this one.
    """
    workers = min(workers, os.cpu_count() or 1)
    return DataLoader(
        rows,
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        generator=torch.Generator(),  # its own: each pass draws a number, and a run that goes on makes fewer passes
    )
