"""The workers of a search on this machine, each a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from optuna.trial import TrialState

from kiwi.exceptions import KiwiError
from kiwi.lib.search.config import Configuration
from kiwi.lib.search.progress import Progress
from kiwi.lib.search.trials import Ledger
from kiwi.lib.search.worker import STORAGE_VARIABLE

SECONDS_BETWEEN_LOOKS = 1.0
"""At the workers."""


def with_workers(config: Configuration, directory: Path, ledger: Ledger, progress: Progress) -> None:
    """Start workers, and wait for the end of all trials.

    Args:
        config: of the search.
        directory: of the search, with its configuration.
        ledger: of the search.
        progress: shows how it goes.

    Raises:
        KiwiError: when the workers are gone, and trials are left.
    """
    workers = [_start_worker(config, directory, number) for number in range(config.num_workers)]
    try:
        while any(worker.poll() is None for worker in workers):
            progress.update()
            time.sleep(SECONDS_BETWEEN_LOOKS)
        progress.update()
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait()
            assert worker.stdin is not None
            worker.stdin.close()
    if ledger.trials(TrialState.WAITING, TrialState.RUNNING):
        codes = ", ".join(str(worker.returncode) for worker in workers)
        raise KiwiError(
            f"All workers are gone, and trials are left (exit codes {codes}; see {directory}/worker_*.log). The same "
            "command goes on."
        )


def _start_worker(config: Configuration, directory: Path, number: int) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    # Threads that fight for cores slow each other down several times.
    environment.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // config.num_workers, 1)))
    if config.storage is not None:
        environment[STORAGE_VARIABLE] = config.storage
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with (directory / f"worker_{number}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "kiwi.lib.search.worker", str(directory)],
            stdin=subprocess.PIPE,  # closed when this process ends, however it ends
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which stops its workers
        )
