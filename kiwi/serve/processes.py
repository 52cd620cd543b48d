"""The parent of several processes, which replaces those that end, and all of them when models are to be reloaded."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from socket import socket

from typing_extensions import override
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from kiwi.serve.metrics import Metrics

logger = logging.getLogger(__name__)

REPLACED = signal.SIGUSR1
"""The signal that tells a process, before the one to end, that another one takes its place."""

PING = 1.0
"""The number of seconds in which a process answers; it may be busy for longer."""

GRACE = 10
"""The number of seconds after the time to finish requests in which a process must have ended, or is killed."""


class _Stop(threading.Event):
    """Is set, for who asks, as soon as a signal to end has arrived, even while other signals are acted on.

    Args:
        signals: the signals that have arrived and are not acted on yet.
    """

    def __init__(self, signals: list[int]) -> None:
        super().__init__()
        self._signals = signals

    @override
    def is_set(self) -> bool:
        return super().is_set() or signal.SIGTERM in self._signals or signal.SIGINT in self._signals


class Supervisor(Multiprocess):
    """Starts processes, and keeps them running.

    Args:
        config: the configuration of each process.
        sockets: the sockets at which all of them listen.
        shutdown_timeout: the number of seconds in which a process finishes its requests.
        drain_timeout: the number of seconds in which a process that is replaced finishes its files.
    """

    def __init__(
        self, config: Config, sockets: list[socket], shutdown_timeout: float, drain_timeout: float = 0.0
    ) -> None:
        super().__init__(config, sockets)
        self.should_exit = _Stop(self.signal_queue)
        self.has_failed = False
        """Whether a process could not start, and none before it."""
        self._has_started = False
        self._seen: dict[int | None, float] = {}  # when each process has answered, by a clock that never jumps
        self._shutdown_timeout, self._drain_timeout = shutdown_timeout, drain_timeout
        self._replaced: list[tuple[Process, float]] = []  # those that finish what they took, and when they must have

    def handle_hup(self) -> None:
        """Replace all processes, once for all signals that have arrived by now."""
        while signal.SIGHUP in self.signal_queue:  # those that have arrived by now are one
            self.signal_queue.remove(signal.SIGHUP)
        super().handle_hup()

    def handle_signals(self) -> None:
        """Act on the signals that have arrived."""
        while self.signal_queue and not self.should_exit.is_set():
            self._handle(self.signal_queue.pop(0))
        if self.should_exit.is_set():
            self.should_exit.set()  # for who waits, too

    def _handle(self, number: int) -> None:
        handler = getattr(self, f"handle_{signal.Signals(number).name.removeprefix('SIG').lower()}", None)
        if handler is not None:
            handler()

    @override
    def restart_all(self) -> None:
        for index, old in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            new = Process(self.config, self.sockets)
            new.start()
            if not new.wait_until_ready(self.config.timeout_worker_healthcheck, self.should_exit):
                new.kill()
                new.join()
                if not self.should_exit.is_set():
                    logger.error("The models were not reloaded, and stay in use: process %s did not start.", new.pid)
                return
            self.processes[index] = new
            self._replace(old)
            logger.info("The process %s has taken the place of %s.", new.pid, old.pid)

    def _replace(self, old: Process) -> None:
        """Tell a process to finish what it took, and to end."""
        if old.pid is not None and old.process.is_alive():
            os.kill(old.pid, REPLACED)
            old.terminate()
        self._replaced.append((old, time.monotonic() + self._shutdown_timeout + self._drain_timeout + GRACE))

    def _bury(self) -> None:
        """Forget the replaced processes that have ended, and end those whose time is up."""
        now = time.monotonic()
        ended = [process for process, end in self._replaced if not process.process.is_alive() or now > end]
        self._replaced = [each for each in self._replaced if each[0] not in ended]
        for process in ended:
            self._end(process, 0.0)

    def terminate_all(self) -> None:
        """Tell all processes to end, those too that would finish files first."""
        super().terminate_all()
        for process, _ in self._replaced:
            process.terminate()

    def keep_subprocess_alive(self) -> None:
        """Replace the processes that have ended, or no longer show that they live."""
        self._bury()
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if self._lives(process):
                self._has_started = self._has_started or process.is_ready(timeout=PING)
                continue
            process.kill()
            self._end(process)
            if process.exitcode == STARTUP_FAILURE and not self._has_started:
                self.has_failed = True
                self.should_exit.set()
                return
            logger.warning("The process %s has ended (%s), and is replaced.", process.pid, process.exitcode)
            self.processes[index] = Process(self.config, self.sockets)
            self.processes[index].start()

    def join_all(self) -> None:
        """Wait until all processes have ended."""
        for process in [*self.processes, *(process for process, _ in self._replaced)]:
            self._end(process)

    def _lives(self, process: Process) -> bool:
        """Return whether a process runs, and has answered lately; one that is killed meanwhile is not waited for."""
        if not process.process.is_alive():
            return False
        now = time.monotonic()
        if process.ping(timeout=PING):
            self._seen[process.pid] = now
        return now - self._seen.setdefault(process.pid, now) < self.config.timeout_worker_healthcheck

    def _end(self, process: Process, timeout: float | None = None) -> None:
        process.process.join(self._shutdown_timeout + GRACE if timeout is None else timeout)
        if process.process.is_alive():
            logger.warning("The process %s has not ended in time, and is killed.", process.pid)
            process.process.kill()
            process.process.join()
        if process.pid is not None:
            Metrics.forget_process(process.pid)
