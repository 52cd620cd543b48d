"""Prediction in several processes, each of which loads the system."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kiwi.data.files.lines import Columns
from kiwi.exceptions import KiwiError
from kiwi.runner.auto_aligner import announce
from kiwi.runner.engine import AboutSystem
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.runner.runner import ChunkPredictions, Runner
from kiwi.runner.watch import InputWatch
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.utils.process.workers import end_with_parent, in_order


class RunnerPool:
    """Predicts in several processes; otherwise like :class:`Runner`. It must be closed.

    Args:
        path: the path of the trained system, or its name on the hub.
        gpu_ids: the GPU of each process; None is the CPU.
        options: how each process loads the system, and how it predicts.
    """

    def __init__(self, path: str, gpu_ids: list[int | None], options: PredictOptions) -> None:
        self.n_processes = len(gpu_ids)
        # A forked process can use neither a GPU nor the threads of its parent.
        context = multiprocessing.get_context("spawn")
        gpu_queue = context.SimpleQueue()
        for gpu_id in gpu_ids:
            gpu_queue.put(gpu_id)
        self._pool = ProcessPoolExecutor(
            self.n_processes, mp_context=context, initializer=_load, initargs=(path, gpu_queue, options)
        )
        try:
            with self._explain_errors():
                self.about: AboutSystem = self._pool.submit(_about).result()
                self._watch = InputWatch(self.about.data)
        except BaseException:
            self.close()
            raise

    def predict_chunks(self, chunks: Iterable[Columns]) -> Iterator[ChunkPredictions]:
        """Predict the chunks of the data, in order."""
        with self._explain_errors():
            yield from in_order(self._pool, _predict, map(self._see, chunks), 2 * self.n_processes)

    def prepare_aligner(self) -> str:
        """Load what aligns words in one process, as :meth:`Runner.prepare_aligner` does."""
        with self._explain_errors():
            name, identity = self._pool.submit(_prepare_aligner).result()
        announce(self.about.class_name, name)
        return identity

    def _see(self, columns: Columns) -> Columns:
        self._watch.see(columns)
        return columns

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except BrokenProcessPool as error:
            raise KiwiError(
                "A worker process has died, perhaps for lack of memory. To resume, run the same command with fewer "
                "processes or a smaller run.batch_tokens. (A script that starts processes needs "
                "`if __name__ == '__main__':` around its main code.)"
            ) from error

    def close(self) -> None:
        """Stop the processes."""
        self._pool.shutdown(cancel_futures=True)


_runner: Runner | Exception
"""The runner of a worker process, or the error that loading it has raised."""


def _load(path: str, gpu_queue: Any, options: PredictOptions) -> None:
    global _runner
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        _runner = open_runner(path, replace(options, gpu_id=gpu_queue.get()))
        _runner.watch = InputWatch(DataInfo(), _runner.engine.collate.pieces)  # of tokenization, the parent warns once
        _runner.auto_aligner.announces = False
    except Exception as error:  # a failing initializer breaks the pool without a reason; raised in _loaded
        _runner = error


def _loaded() -> Runner:
    if isinstance(_runner, Exception):
        raise _runner
    return _runner


def _about() -> AboutSystem:
    return _loaded().about


def _prepare_aligner() -> tuple[str, str]:
    engine = _loaded().auto_aligner.load().engine
    return engine.name, engine.identity


def _predict(columns: Columns) -> ChunkPredictions:
    return _loaded().predict_chunk(columns)
