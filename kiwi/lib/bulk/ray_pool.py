"""Shards on Ray: Ray Data gives each to a worker of a pool, replaces workers that die, and gives their shards again."""

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
from kiwi.lib.bulk.job import Job, Task
from kiwi.lib.bulk.worker import ShardReport, load, predict_shard
from kiwi.runner.options import PredictOptions


@dataclass(frozen=True)
class Pool:
    """The workers of a job."""

    workers: int
    cpus: float
    gpus: float
    rows_at_once: int
    batch_tokens: int | None
    attempts: int


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Ledger:
    """Counts beginnings, so that what kills each of its workers comes to an end."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def begin(self, name: str) -> int:
        """How often something was begun, this time among them."""
        self.begun[name] += 1
        return self.begun[name]

    def forget(self, name: str) -> None:
        """Something has come to its end."""
        del self.begun[name]


LOADING = "\n"
"""In the ledger, the loading of the system; no shard has such a name."""


class Worker:
    """Has a system loaded, and predicts shards.

    Args:
        job: of the shards.
        pool: that it is of.
        ledger: of the job.
    """

    def __init__(self, job: Job, pool: Pool, ledger: Any) -> None:
        self.job, self.pool, self.ledger = job, pool, ledger
        self.problem = ""
        # Loads at once, in all workers, and those that have died.
        if ray.get(ledger.begin.remote(LOADING)) > pool.workers * pool.attempts:
            self.problem = "Workers die while they load the system. Give each more memory, or start fewer."
            return
        try:
            options = PredictOptions(
                gpu_id=0 if pool.gpus > 0 else None, threads=max(1, int(pool.cpus)), batch_tokens=pool.batch_tokens
            )
            self.runner = load(job, options)
        except Exception as error:  # comes to the user as it is, and not by way of Ray
            self.problem = _text(error)
        ray.get(ledger.forget.remote(LOADING))

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Predict one shard.

        Args:
            batch: a row with its task.
        """
        (task,) = batch["item"]
        deaths = ray.get(self.ledger.begin.remote(task.name)) - 1
        if self.problem:
            report = ShardReport(task.name, error=self.problem, fatal=True)
        elif deaths >= self.pool.attempts:
            report = ShardReport(task.name, error=f"{deaths} workers have died over it")
        else:
            try:
                report = predict_shard(self.runner, self.job, task, self.pool.rows_at_once)
            except Exception as error:  # the job goes on with the other shards
                report = ShardReport(task.name, error=_text(error))
        report.deaths = deaths
        return {"report": [asdict(report)]}


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, KiwiError) else f"{type(error).__name__}: {error}"


@contextmanager
def started(bulk: BulkConfig, *, verbose: bool) -> Iterator[Pool]:
    """Ray of this machine or of a cluster, with room for the workers.

    A Ray that the program has started already is taken, and left running.

    Args:
        bulk: options.
        verbose: show what Ray says.

    Raises:
        ConfigError: when there is no such cluster, or it has no room for the workers.
    """
    is_ours = not ray.is_initialized()
    if not is_ours and bulk.address is not None:
        raise ConfigError("bulk.address: given, but this program has started Ray already, which is taken; remove it.")
    if is_ours:
        _start(bulk.address, verbose=verbose)
    try:
        # Ray prints what it has to say of workers that die, whatever it is told, among what others may read.
        with redirect_stdout(sys.stderr) if is_ours else nullcontext():
            yield _pool(bulk)
    finally:
        if is_ours:
            ray.shutdown()


def _start(address: str | None, *, verbose: bool) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
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
        raise ConfigError(f"bulk.address: {address or 'this machine'}: no Ray to be had: {reason}") from error
    except SystemExit as error:  # what Ray makes of a signal
        raise StoppedError("Stopped by SIGTERM, while Ray started.", signal_number=signal.SIGTERM) from error
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, former)


def check_listening(address: str) -> None:
    """Check that somebody listens at an address; Ray itself would wait for minutes.

    Args:
        address: host and port.

    Raises:
        ConfigError: when nobody does.
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER):
            pass
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"bulk.address: {address}: no Ray to be had: {error}. Expected host:6379, as `ray start --head` says, "
            "or auto."
        ) from error


SECONDS_TO_ANSWER = 10.0
"""For the head of a cluster."""


@contextmanager
def _quiet_core() -> Iterator[None]:
    """Keep what Ray's core thinks of Ray Data, and that it was told to keep it, from standard error."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    shown = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123  (a device)
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(shown, 2)
        os.close(shown)


OBJECT_STORE = 128 * 1024 * 1024
"""Bytes for what goes between workers, which are descriptions of shards alone."""


def _pool(bulk: BulkConfig) -> Pool:
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


def reports(job: Job, tasks: Sequence[Task], pool: Pool, *, verbose: bool) -> Iterator[ShardReport]:
    """What comes of each shard, as it comes.

    Args:
        job: of the shards.
        tasks: the shards.
        pool: of workers.
        verbose: show what Ray Data says.

    Raises:
        KiwiError: when Ray gives up.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = verbose
    logging.getLogger("ray.data").setLevel(logging.INFO if verbose else logging.ERROR)
    workers = min(pool.workers, len(tasks))
    shards = ray.data.from_items(list(tasks), override_num_blocks=len(tasks))
    done = shards.map_batches(
        Worker,
        batch_size=1,
        fn_constructor_args=(job, pool, Ledger.remote()),  # type: ignore[attr-defined]
        # One shard at a time: others must not wait behind a long one, nor die with its worker.
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus or None,
    )
    try:
        for row in done.iter_rows():
            yield ShardReport(**row["report"])
    except ray.exceptions.RayError as error:
        raise KiwiError(
            f"The cluster does not go on ({type(error).__name__}: {str(error).partition(chr(10))[0]:.300}). Shards "
            "that are done stay; the same command goes on."
        ) from error
