"""The workers of a search on this machine, each a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from optuna.trial import TrialState

from kiwi.exceptions import KiwiError
from kiwi.lib.search.context import STORAGE_VARIABLE, TRACKING_VARIABLE, SearchContext

POLL_INTERVAL = 1.0
"""The interval in seconds at which the workers are checked."""


def run_workers(context: SearchContext, on_change: Callable[[], None]) -> None:
    """Start workers, and wait until all trials of the search have ended.

    Args:
        context: the search, whose configuration is in its directory.
        on_change: called while workers run, and when they have ended.

    Raises:
        KiwiError: when all workers have ended and trials are left.
    """
    workers = [_start_worker(context, number) for number in range(context.config.num_workers)]
    try:
        while any(worker.poll() is None for worker in workers):
            on_change()
            time.sleep(POLL_INTERVAL)
        on_change()
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait()
            assert worker.stdin is not None
            worker.stdin.close()
    if left := context.trials.list_trials(TrialState.WAITING, TrialState.RUNNING):
        codes = ", ".join(str(worker.returncode) for worker in workers)
        raise KiwiError(
            f"All workers have ended (exit codes {codes}), and {len(left)} trials are left. See "
            f"{context.directory}/worker_*.log. {context.advice}"
        )


def _start_worker(context: SearchContext, number: int) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    # Threads that compete for cores slow each other down several times.
    environment.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // context.config.num_workers, 1)))
    if context.config.storage is not None:
        environment[STORAGE_VARIABLE] = context.config.storage
    environment[TRACKING_VARIABLE] = context.config.base_config.run.mlflow_tracking_uri
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with (context.directory / f"worker_{number}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "kiwi.lib.search.worker", str(context.directory)],
            stdin=subprocess.PIPE,  # closed when this process ends, however it ends
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches only this process, which stops its workers
        )
