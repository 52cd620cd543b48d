"""Outputs of frozen layers, computed once and reused in every epoch."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.collate import Row
from kiwi.exceptions import ConfigError
from kiwi.utils.memory import available_memory


class FrozenStates:
    """What the frozen layers make of the pieces of segments, by the segments' texts.

    Args:
        n_pieces: of all segments, in all windows.
        size: of a piece's vector.
        directory: where a memory-mapped file is put; None keeps everything in memory.

    Raises:
        ConfigError: when there is no room for them.
    """

    def __init__(self, n_pieces: int, size: int, directory: Path | None = None) -> None:
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        self._end = 0
        shape = (n_pieces, size)
        _check_room(4 * n_pieces * size, directory)
        if directory is None:
            self._states: NDArray[np.float32] = np.empty(shape, dtype=np.float32)
            return
        # A file without a name: it is gone with the process, however that ends.
        with tempfile.TemporaryFile(dir=directory) as file:
            self._states = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)

    def __len__(self) -> int:
        return len(self._places)

    def add(self, rows: Sequence[Row], batch: NumpyBatch, states: NDArray[np.float32]) -> None:
        """Keep the states (windows, pieces, size) of a batch of rows."""
        assert batch.piece_segments is not None
        assert batch.piece_mask is not None
        for index, row in enumerate(rows):
            chosen = batch.piece_segments == index
            pieces = states[chosen][batch.piece_mask[chosen]]
            self._states[self._end : self._end + len(pieces)] = pieces
            self._places[_key(row)] = (self._end, len(pieces))
            self._end += len(pieces)

    def of(self, rows: Sequence[Row], batch: NumpyBatch) -> NDArray[np.float32] | None:
        """States of a batch (windows, pieces, size), zeros for padding; None when a segment is not known."""
        places = [self._places.get(_key(row)) for row in rows]
        if any(place is None for place in places):
            return None
        assert batch.piece_mask is not None
        states = np.zeros((*batch.piece_mask.shape, self._states.shape[1]), dtype=np.float32)
        # Windows stand in the order of their segments.
        states[batch.piece_mask] = np.concatenate([self._states[p[0] : p[0] + p[1]] for p in places if p is not None])
        return states


def _check_room(needed: int, directory: Path | None) -> None:
    """See that there is room for so many bytes, before hours of computing end in a kill."""
    free = available_memory() if directory is None else shutil.disk_usage(directory).free
    if free is None or needed <= free:
        return
    place, others = ("memory", "disk or no") if directory is None else (f"the disk of {directory}", "no")
    raise ConfigError(
        f"system.model.encoder.keep_frozen_states: the outputs of the frozen layers take {needed / 2**30:.1f} GiB, and "
        f"{place} has {free / 2**30:.1f} GiB left. Set it to {others}."
    )


def _key(row: Row) -> tuple[str, str]:
    return row[const.SOURCE], row[const.TARGET]


class _Reached(Exception):
    """The layer above the frozen ones was reached, with this input."""

    def __init__(self, states: Tensor) -> None:
        self.states = states


def run_below(layers: Sequence[nn.Module], n_frozen: int, run: Callable[[], Any]) -> tuple[Tensor, int]:
    """What the first layers of a model make, without computing anything above.

    Args:
        layers: of the model.
        n_frozen: layers to run, at least one; there is one above them.
        run: runs the model.

    Returns:
        The states, and the length of the tuple that a layer returns (0: it returns the bare states).
    """
    n_results = 0

    def look(_: nn.Module, __: tuple[Any, ...], result: Any) -> None:
        nonlocal n_results
        n_results = len(result) if isinstance(result, tuple) else 0

    def stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise _Reached(args[0] if args else kwargs["hidden_states"])

    hooks = [
        layers[0].register_forward_hook(look),
        layers[n_frozen].register_forward_pre_hook(stop, with_kwargs=True),
    ]
    try:
        run()
    except _Reached as reached:
        return reached.states, n_results
    finally:
        for hook in hooks:
            hook.remove()
    raise AssertionError("a model runs all of its layers")


@contextmanager
def starting_from(layers: Sequence[nn.Module], n_frozen: int, states: Tensor, n_results: int) -> Iterator[None]:
    """Within this block, the model's first layers compute nothing, and the one above them is given these states.

    Args:
        layers: of the model.
        n_frozen: layers to skip; there is one above them.
        states: (windows, pieces, hidden).
        n_results: length of the tuple that a layer returns; 0 for the bare states.
    """

    def give(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ((states, *args[1:]), kwargs) if args else ((), {**kwargs, "hidden_states": states})

    def pass_on(hidden_states: Tensor, *_: Any, **__: Any) -> Any:
        return (hidden_states, *[None] * (n_results - 1)) if n_results else hidden_states

    hook = layers[n_frozen].register_forward_pre_hook(give, with_kwargs=True)
    for layer in layers[:n_frozen]:
        layer.forward = pass_on
    try:
        yield
    finally:
        hook.remove()
        for layer in layers[:n_frozen]:
            del layer.forward  # the class's own is found again
