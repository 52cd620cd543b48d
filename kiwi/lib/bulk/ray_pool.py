"""Shards on Ray: Ray Data assigns them to a pool of workers, replaces workers that die, and retries their shards."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import asdict, dataclass
from typing import Any

import ray
import ray.data
import ray.exceptions

from kiwi.exceptions import ConfigError, KiwiError, StoppedError
from kiwi.lib.bulk.config import BulkConfig
from kiwi.lib.bulk.job import ADVICE, Job, Task
from kiwi.lib.bulk.worker import ShardReport, load, predict_shard
from kiwi.runner.options import PredictOptions


@dataclass(frozen=True)
class Pool:
    """The workers of a job, and the resources of each; see :class:`BulkConfig`."""

    workers: int
    cpus: float
    gpus: float
    rows_at_once: int
    batch_tokens: int | None
    attempts: int


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class AttemptCounter:
    """Counts attempts per shard, so that a shard that crashes workers is eventually given up."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()

    def add(self, name: str) -> int:
        """Count one more attempt, and return the number of attempts so far."""
        self.attempts[name] += 1
        return self.attempts[name]

    def reset(self, name: str) -> None:
        """Forget the attempts, because the last one has ended without a crash."""
        del self.attempts[name]


LOADING = "\n"
"""The name under which attempts to load the system are counted; no shard has such a name."""


class Worker:
    """Loads the system of a job once, and predicts shards with it.

    Args:
        job: the job of the shards.
        pool: the pool that the worker belongs to.
        attempts: the job's :class:`AttemptCounter`.
    """

    def __init__(self, job: Job, pool: Pool, attempts: Any) -> None:
        self.job, self.pool, self.attempts = job, pool, attempts
        self.problem = ""
        # The count includes the workers that are loading now and those that died while they were loading.
        if ray.get(attempts.add.remote(LOADING)) > pool.workers * pool.attempts:
            self.problem = (
                "Workers die while they load the system. Give each more memory, or lower bulk.workers to start fewer."
            )
            return
        try:
            options = PredictOptions(
                gpu_id=0 if pool.gpus > 0 else None, threads=max(1, int(pool.cpus)), batch_tokens=pool.batch_tokens
            )
            self.runner = load(job, options)
        except Exception as error:  # is reported with the shards, because Ray would wrap it
            self.problem = _describe(error)
        ray.get(attempts.reset.remote(LOADING))

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Predict one shard.

        Args:
            batch: one row, with a task in the column ``item``.
        """
        (task,) = batch["item"]
        deaths = ray.get(self.attempts.add.remote(task.name)) - 1
        if self.problem:
            report = ShardReport(task.name, error=self.problem, fatal=True)
        elif deaths >= self.pool.attempts:
            report = ShardReport(task.name, error=f"{deaths} workers died while they predicted it")
        else:
            try:
                report = predict_shard(self.runner, self.job, task, self.pool.rows_at_once)
            except Exception as error:  # the job continues with the other shards
                report = ShardReport(task.name, error=_describe(error))
        report.deaths = deaths
        return {"report": [asdict(report)]}


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, KiwiError) else f"{type(error).__name__}: {error}"


@contextmanager
def open_pool(bulk: BulkConfig, *, verbose: bool) -> Iterator[Pool]:
    """Start Ray on this machine or connect to a cluster, and check that it has room for the workers.

    If the program has already started Ray, that Ray is used and left running.

    Args:
        bulk: the options of the job.
        verbose: whether to show Ray's messages.

    Raises:
        ConfigError: when the cluster cannot be reached or has no room for the workers.
    """
    if ray.is_initialized():
        if bulk.address is not None:
            raise ConfigError(
                "bulk.address: given, but this program has already started Ray, which is used instead; remove it."
            )
        yield _check_room(bulk)
        return
    # A thread of Ray prints to standard output, whatever the log options say, and ends only with the shutdown.
    with redirect_stdout(sys.stderr):
        _start(bulk.address, verbose=verbose)
        try:
            yield _check_room(bulk)
        finally:
            ray.shutdown()


def _start(address: str | None, *, verbose: bool) -> None:
    level = logging.INFO if verbose else logging.ERROR
    options: dict[str, Any] = {} if address else {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
    if address is not None and address != "auto":
        check_listening(address)
    is_main = threading.current_thread() is threading.main_thread()
    former = signal.getsignal(signal.SIGTERM)
    try:
        with nullcontext() if verbose else _quiet_core():
            ray.init(address or "local", logging_level=level, log_to_driver=verbose, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"bulk.address: {address or 'this machine'}: Ray cannot be started or reached: {reason}"
        ) from error
    except SystemExit as error:  # is what Ray raises on SIGTERM
        raise StoppedError(
            f"Stopped by SIGTERM while Ray was starting. {ADVICE}", signal_number=signal.SIGTERM
        ) from error
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, former)


def check_listening(address: str) -> None:
    """Check that a server listens at an address; Ray itself would wait for minutes.

    Args:
        address: the host and port of the cluster's head.

    Raises:
        ConfigError: when the address is not valid or no server answers.
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER):
            pass
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"bulk.address: {address}: Ray cannot be reached: {error}. Expected auto, or host:6379 as printed by "
            "`ray start --head`."
        ) from error


SECONDS_TO_ANSWER = 10.0
"""The time in seconds within which the head of a cluster has to answer."""


@contextmanager
def _quiet_core() -> Iterator[None]:
    """Hide the warnings of Ray's core, among them the one about its own log level, from standard error."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as null:  # noqa: PTH123  (a device)
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


OBJECT_STORE = 128 * 1024 * 1024
"""The size of the object store in bytes; workers exchange only descriptions of shards."""


def _check_room(bulk: BulkConfig) -> Pool:
    """Check that the cluster has room for the workers that are asked for, and return the pool."""
    need = {"CPU": bulk.cpus_per_worker, "GPU": bulk.gpus_per_worker}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    rooms = [min(int(node.get(kind, 0) / count + 1e-9) for kind, count in need.items() if count) for node in nodes]
    room, asked = sum(rooms), bulk.workers or 1
    if room < asked:
        found = ", ".join(f"{sum(node.get(kind, 0) for node in nodes):g} {kind}s" for kind in need)
        each = " and ".join(f"{count:g} {kind}s" for kind, count in need.items() if count)
        raise ConfigError(
            f"bulk.workers: found {asked}, of {each} each; the cluster has {found} on {len(nodes)} machine(s), "
            f"room for {room}. Lower bulk.workers, bulk.cpus_per_worker or bulk.gpus_per_worker, or name a larger "
            "cluster (bulk.address)."
        )
    return Pool(
        bulk.workers or room,
        bulk.cpus_per_worker,
        bulk.gpus_per_worker,
        bulk.rows_at_once,
        bulk.batch_tokens,
        bulk.attempts,
    )


def predict_shards(job: Job, tasks: Sequence[Task], pool: Pool, *, verbose: bool) -> Iterator[ShardReport]:
    """Predict shards, and yield the report of each as soon as it is done.

    Args:
        job: the job of the shards.
        tasks: the shards to predict.
        pool: the pool of workers.
        verbose: whether to show the messages of Ray Data.

    Raises:
        KiwiError: when Ray fails.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = verbose
    # Ray Data logs any exception that ends the loop below, with its trace, before it is raised here.
    logging.getLogger("ray.data").setLevel(logging.INFO if verbose else logging.CRITICAL)
    workers = min(pool.workers, len(tasks))
    shards = ray.data.from_items(list(tasks), override_num_blocks=len(tasks))
    done = shards.map_batches(
        Worker,
        batch_size=1,
        fn_constructor_args=(job, pool, AttemptCounter.remote()),  # type: ignore[attr-defined]
        # One shard at a time, so that no shard waits behind a long one, or is lost when another crashes the worker.
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus or None,
    )
    try:
        for row in done.iter_rows():
            yield ShardReport(**row["report"])
    except ray.exceptions.RayError as error:
        raise KiwiError(
            f"The cluster has failed ({type(error).__name__}: {str(error).partition(chr(10))[0]:.300}). Finished "
            "shards are kept; run the same command again to resume the job."
        ) from error
