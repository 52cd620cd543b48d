"""The outputs of frozen layers, computed once and reused in every epoch."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.collate import Collate, Row
from kiwi.exceptions import ConfigError
from kiwi.utils.process.memory import available_memory


class FrozenStates:
    """A cache of the outputs of the frozen layers for each piece, by the text of the segment.

    Args:
        n_pieces: the number of pieces of all segments, in all windows.
        size: the size of the vector of a piece.
        directory: the directory of a memory-mapped file; None keeps everything in memory.

    Raises:
        ConfigError: when there is not enough memory or disk space.
    """

    def __init__(self, n_pieces: int, size: int, directory: Path | None = None) -> None:
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        self._end = 0
        shape = (n_pieces, size)
        _check_space(4 * n_pieces * size, directory)
        if directory is None:
            self._states: NDArray[np.float32] = np.empty(shape, dtype=np.float32)
            return
        # The file has no name, so the system removes it when the process ends for whatever reason.
        with tempfile.TemporaryFile(dir=directory) as file:
            self._states = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)

    def __len__(self) -> int:
        return len(self._places)

    def add(self, rows: Sequence[Row], batch: NumpyBatch, states: NDArray[np.float32]) -> None:
        """Add the states of a batch of rows, (windows, pieces, size)."""
        assert batch.piece_segments is not None
        assert batch.piece_mask is not None
        for index, row in enumerate(rows):
            chosen = batch.piece_segments == index
            pieces = states[chosen][batch.piece_mask[chosen]]
            self._states[self._end : self._end + len(pieces)] = pieces
            self._places[_key(row)] = (self._end, len(pieces))
            self._end += len(pieces)

    def of(self, rows: Sequence[Row], batch: NumpyBatch) -> NDArray[np.float32] | None:
        """Return the states of a batch, (windows, pieces, size), zeros for padding; None if a segment is unknown."""
        places = [self._places.get(_key(row)) for row in rows]
        if any(place is None for place in places):
            return None
        assert batch.piece_mask is not None
        states = np.zeros((*batch.piece_mask.shape, self._states.shape[1]), dtype=np.float32)
        # Windows are in the order of their segments.
        states[batch.piece_mask] = np.concatenate([self._states[p[0] : p[0] + p[1]] for p in places if p is not None])
        return states


class WithFrozenStates:
    """A collate function that adds the outputs of frozen layers once they have been computed.

    Args:
        collate: the function that makes a batch of rows.
    """

    def __init__(self, collate: Collate) -> None:
        self.collate = collate
        self.states: FrozenStates | None = None

    def __call__(self, rows: Sequence[Row]) -> NumpyBatch:
        """Return a batch, with ``frozen_states`` where they are known."""
        batch = self.collate(rows)
        return batch if self.states is None else replace(batch, frozen_states=self.states.of(rows, batch))


def _check_space(needed: int, directory: Path | None) -> None:
    """Check that there is enough space for a number of bytes, before spending hours of computation."""
    free = available_memory() if directory is None else shutil.disk_usage(directory).free
    if free is None or needed <= free:
        return
    place, others = ("memory", "disk or no") if directory is None else (f"the disk of {directory}", "no")
    raise ConfigError(
        f"system.model.encoder.keep_frozen_states: the outputs of the frozen layers take {needed / 2**30:.1f} GiB, and "
        f"{place} has {free / 2**30:.1f} GiB free. Set it to {others}."
    )


def _key(row: Row) -> tuple[str, str]:
    return row[const.SOURCE], row[const.TARGET]


class StopForward(Exception):
    """Stops the forward pass at the first layer above the frozen ones, and carries its input."""

    def __init__(self, states: Tensor) -> None:
        self.states = states


def run_frozen_layers(layers: Sequence[nn.Module], n_frozen: int, run: Callable[[], Any]) -> tuple[Tensor, int]:
    """Compute the output of the first layers of a model, and nothing above.

    Args:
        layers: the layers of the model.
        n_frozen: the number of layers to run, at least 1 and less than all.
        run: the function that runs the model.

    Returns:
        The states, and the length of the tuple that a layer returns, or 0 if it returns the states alone.
    """
    n_results = 0

    def record_length(_: nn.Module, __: tuple[Any, ...], result: Any) -> None:
        nonlocal n_results
        n_results = len(result) if isinstance(result, tuple) else 0

    def stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise StopForward(args[0] if args else kwargs["hidden_states"])

    hooks = [
        layers[0].register_forward_hook(record_length),
        layers[n_frozen].register_forward_pre_hook(stop, with_kwargs=True),
    ]
    try:
        run()
    except StopForward as stopped:
        return stopped.states, n_results
    finally:
        for hook in hooks:
            hook.remove()
    raise AssertionError("the model has not run all of its layers")


@contextmanager
def skip_frozen_layers(layers: Sequence[nn.Module], n_frozen: int, states: Tensor, n_results: int) -> Iterator[None]:
    """Skip the first layers of a model within this block, and pass given states to the layer above them.

    Args:
        layers: the layers of the model.
        n_frozen: the number of layers to skip, less than all.
        states: the output of the skipped layers, (windows, pieces, hidden).
        n_results: the length of the tuple that a layer returns, or 0 if it returns the states alone.
    """

    def replace_input(
        _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ((states, *args[1:]), kwargs) if args else ((), {**kwargs, "hidden_states": states})

    def skip(hidden_states: Tensor, *_: Any, **__: Any) -> Any:
        return (hidden_states, *[None] * (n_results - 1)) if n_results else hidden_states

    hook = layers[n_frozen].register_forward_pre_hook(replace_input, with_kwargs=True)
    for layer in layers[:n_frozen]:
        layer.forward = skip
    try:
        yield
    finally:
        hook.remove()
        for layer in layers[:n_frozen]:
            del layer.forward  # restores the method of the class
