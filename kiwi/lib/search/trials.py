"""The trials of a search, and which worker runs which trial."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from kiwi.lib.search.attributes import DEATHS, HEARTBEAT, OWNER, REASON, VALIDATIONS_AT_DEATH

logger = logging.getLogger("kiwi.lib.search")

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

HEARTBEAT_INTERVAL = 10.0
"""Seconds between two heartbeats of a worker while it runs a trial."""

HEARTBEAT_TIMEOUT = 60.0
"""Seconds without a heartbeat after which a worker on another machine counts as dead. Workers on this machine have
locks."""

MAX_DEATHS = 3
"""How many processes in a row may die while they run a trial before the trial fails; a new validation starts the count
again, so that a long trial survives any number of preemptions."""


def trial_directory(directory: Path, number: int) -> Path:
    """Return the directory of a trial in the directory of its search."""
    return directory / f"trial_{number}"


class ClaimedTrial:
    """A trial that this process runs; heartbeats tell other workers that the process is alive.

    Args:
        queue: the trials of the search.
        frozen: the trial.
        lock: the lock of the trial's directory, acquired.
    """

    def __init__(self, queue: TrialQueue, frozen: FrozenTrial, lock: FileLock) -> None:
        self.queue = queue
        self.number = frozen.number
        self.trial_id = frozen._trial_id
        self.lock = lock
        self.token = uuid.uuid4().hex
        self.is_lost = False
        """Whether another worker has the trial, because this one sent no heartbeat for too long."""
        self._end = threading.Event()
        self._count = 0
        owner = {"host": socket.gethostname(), "process": os.getpid(), "lock": lock.lock_file, "token": self.token}
        queue.storage.set_trial_user_attr(self.trial_id, OWNER, owner)
        self.trial = Trial(queue.study, self.trial_id)
        self._thread = threading.Thread(
            target=self._send_heartbeats, name=f"heartbeats of trial {self.number}", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> ClaimedTrial:
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()
        self.lock.release()

    def requeue(self) -> None:
        """Let the trial wait for the next worker, which resumes it."""
        self._end.set()
        self._thread.join()
        if not self.is_lost:
            self.queue.storage.set_trial_state_values(self.trial_id, TrialState.WAITING)

    def _send_heartbeats(self) -> None:
        while not self._end.wait(HEARTBEAT_INTERVAL):
            self.send_heartbeat()

    def send_heartbeat(self) -> None:
        """Show that this worker is alive, and update whether it still has the trial."""
        storage = self.queue.storage
        try:
            frozen = storage.get_trial(self.trial_id)
            if frozen.state != TrialState.RUNNING or frozen.user_attrs.get(OWNER, {}).get("token") != self.token:
                self.is_lost = True
                self._end.set()
                return
            self._count += 1
            storage.set_trial_user_attr(self.trial_id, HEARTBEAT, f"{self.token} {self._count}")
        except (StorageInternalError, UpdateFinishedTrialError, OSError) as error:
            logger.warning("Trial %d: the storage did not respond (%s).", self.number, str(error).splitlines()[0])


class TrialQueue:
    """The trials of a search, of which each worker claims one at a time.

    A worker holds a lock in the directory of its trial and sends heartbeats, which change an attribute of the trial. A
    trial whose worker is dead waits again and keeps its values and its run. This is one change of its state, so that no
    trial is ever lost or duplicated.

    Args:
        study: the study that all workers share.
        storage: the storage of the study.
        directory: the directory of the search on this machine.
        num_trials: the number of trials of the whole search.
    """

    def __init__(self, study: Study, storage: BaseStorage, directory: Path, num_trials: int) -> None:
        self.study = study
        self.storage = storage
        self.directory = directory
        self.num_trials = num_trials
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._heartbeats: dict[int, tuple[Any, float]] = {}

    def close(self) -> None:
        """Close the connections to a database; the study opens new ones when it needs them."""
        if isinstance(self.storage, RDBStorage):
            self.storage.remove_session()
            self.storage.engine.dispose()

    def list_trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the trials by number: all, or those in some states."""
        found = self.storage.get_all_trials(self._study_id, deepcopy=False, states=states or None)
        return sorted((each for each in found if each.number < self.num_trials), key=lambda each: each.number)

    def claim_next(self) -> ClaimedTrial | None:
        """Claim the first trial that waits; return None when there is none."""
        for frozen in self.list_trials(TrialState.WAITING):
            lock = self._lock(trial_directory(self.directory, frozen.number))
            if lock is None:
                continue
            try:
                is_claimed = self.storage.set_trial_state_values(frozen._trial_id, TrialState.RUNNING)
            except UpdateFinishedTrialError:
                is_claimed = False
            if is_claimed:
                return ClaimedTrial(self, frozen, lock)
            lock.release()
        return None

    def requeue_dead(self) -> None:
        """Let trials whose worker is dead wait again; a trial that keeps killing its workers fails."""
        for frozen in self.list_trials(TrialState.RUNNING):
            owner = frozen.user_attrs.get(OWNER) or {}
            path = Path(owner.get("lock", ""))
            if owner.get("host") == socket.gethostname() and path.is_file():
                if (lock := self._lock(path.parent)) is None:
                    continue
                try:
                    self._requeue(frozen, owner)
                finally:
                    lock.release()
            elif self._has_timed_out(frozen):
                self._requeue(frozen, owner)

    def _requeue(self, seen: FrozenTrial, owner: Mapping[str, Any]) -> None:
        frozen = self.storage.get_trial(seen._trial_id)
        if frozen.state != TrialState.RUNNING or (frozen.user_attrs.get(OWNER) or {}) != owner:
            return
        validations = len(frozen.intermediate_values)
        has_advanced = validations > int(frozen.user_attrs.get(VALIDATIONS_AT_DEATH, 0))
        deaths = 1 if has_advanced else int(frozen.user_attrs.get(DEATHS, 0)) + 1
        try:
            self.storage.set_trial_user_attr(frozen._trial_id, VALIDATIONS_AT_DEATH, validations)
            self.storage.set_trial_user_attr(frozen._trial_id, DEATHS, deaths)
            if deaths >= MAX_DEATHS:
                reason = f"its process died {deaths} times without a validation in between (out of memory?)"
                self.storage.set_trial_user_attr(frozen._trial_id, REASON, reason)
                self.storage.set_trial_state_values(frozen._trial_id, TrialState.FAIL)
            else:
                self.storage.set_trial_state_values(frozen._trial_id, TrialState.WAITING)
        except UpdateFinishedTrialError:
            return
        outcome = "the trial has failed" if deaths >= MAX_DEATHS else "the trial will be resumed"
        logger.warning("Trial %d: its process died; %s.", frozen.number, outcome)

    def _has_timed_out(self, frozen: FrozenTrial) -> bool:
        now, heartbeat = time.monotonic(), (frozen.user_attrs.get(OWNER), frozen.user_attrs.get(HEARTBEAT))
        former, since = self._heartbeats.get(frozen.number, (None, now))
        if former != heartbeat:
            since = now
        self._heartbeats[frozen.number] = (heartbeat, since)
        return now - since >= HEARTBEAT_TIMEOUT

    def _lock(self, directory: Path) -> FileLock | None:
        """Acquire the lock of a trial's directory; return None when another process holds it."""
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / ".claim", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock
