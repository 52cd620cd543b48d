"""Several processes that predict, each with a system of its own."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from kiwi.data.files.lines import Columns
from kiwi.exceptions import KiwiError
from kiwi.runner.engine import AboutSystem
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.runner.runner import Part, Runner

Result = TypeVar("Result")


class RunnerPool:
    """Predicts as a :class:`Runner` does, in several processes. Close it, or use it as a context.

    Args:
        path: the trained system.
        gpu_ids: the GPU of each process; None is the CPU.
        options: how each process loads the system, and how it predicts.
    """

    def __init__(self, path: str, gpu_ids: list[int | None], options: PredictOptions) -> None:
        self.n_processes = len(gpu_ids)
        # A process that was forked cannot use a GPU, nor the threads that its parent had.
        context = multiprocessing.get_context("spawn")
        places = context.SimpleQueue()
        for gpu_id in gpu_ids:
            places.put(gpu_id)
        self._pool = ProcessPoolExecutor(
            self.n_processes, mp_context=context, initializer=_load, initargs=(path, places, options)
        )
        try:
            with self._named_errors():
                self.about: AboutSystem = self._pool.submit(_about).result()
        except BaseException:
            self.close()
            raise

    def predict_chunks(self, chunks: Iterable[Columns]) -> Iterator[Part]:
        """Predict each part of the data, in order."""
        return self._in_order(_predict, chunks)

    def _in_order(self, function: Callable[[Columns], Result], chunks: Iterable[Columns]) -> Iterator[Result]:
        """Results in order; each process has one part in work and one that waits for it."""
        ahead: deque[Future[Result]] = deque()
        with self._named_errors():
            for chunk in chunks:
                ahead.append(self._pool.submit(function, chunk))
                if len(ahead) > 2 * self.n_processes:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except BrokenProcessPool as error:
            raise KiwiError(
                "A process that predicts has ended, perhaps for lack of memory. Start again to go on where it stopped, "
                "with fewer processes or a smaller run.batch_tokens. (A script that starts processes needs "
                "`if __name__ == '__main__':` around what it does.)"
            ) from error

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


_runner: Runner | Exception
"""Of a process of the pool; or why there is none, for the process that asks."""


def _load(path: str, places: Any, options: PredictOptions) -> None:
    global _runner
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _runner = open_runner(path, replace(options, gpu_id=places.get()))
    except Exception as error:  # an initializer that fails breaks the pool, and nobody hears why
        _runner = error


def _end_with_parent() -> None:
    """A parent that is killed cannot end its processes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _loaded() -> Runner:
    if isinstance(_runner, Exception):
        raise _runner
    return _runner


def _about() -> AboutSystem:
    return _loaded().about


def _predict(columns: Columns) -> Part:
    return _loaded().predict_part(columns)
