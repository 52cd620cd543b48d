"""Which worker of a search has which trial."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from kiwi.lib.search.keys import trial_directory

logger = logging.getLogger("kiwi.lib.search")

SECONDS_BETWEEN_BEATS = 10.0
"""Of a worker, while it has a trial."""

SECONDS_TO_DEATH = 60.0
"""Without a beat, until a worker on another machine is taken for dead. One on this machine is known by its lock."""

MOST_DEATHS = 3
"""Of the process of a trial, until it is the trial's fault."""

OWNER, BEAT, DEATHS, REASON = "worker", "beat", "deaths", "reason"
"""Attributes of a trial."""


class Claim:
    """A trial that this process runs; others see that it lives.

    Args:
        ledger: of the search.
        frozen: the trial.
        lock: of its directory, held.
    """

    def __init__(self, ledger: Ledger, frozen: FrozenTrial, lock: FileLock) -> None:
        self.ledger = ledger
        self.number = frozen.number
        self.trial_id = frozen._trial_id
        self.lock = lock
        self.token = uuid.uuid4().hex
        self.is_lost = False
        """Whether another worker has the trial, because this one showed no life for so long."""
        self._end = threading.Event()
        self._count = 0
        owner = {"host": socket.gethostname(), "process": os.getpid(), "lock": lock.lock_file, "token": self.token}
        ledger.storage.set_trial_user_attr(self.trial_id, OWNER, owner)
        self.trial = Trial(ledger.study, self.trial_id)
        self._thread = threading.Thread(target=self._beat, name=f"beats of trial {self.number}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()
        self.lock.release()

    def requeue(self) -> None:
        """Let whoever comes next go on with it."""
        self._end.set()
        self._thread.join()
        if not self.is_lost:
            self.ledger.storage.set_trial_state_values(self.trial_id, TrialState.WAITING)

    def _beat(self) -> None:
        while not self._end.wait(SECONDS_BETWEEN_BEATS):
            self.look()

    def look(self) -> None:
        """Show that this worker lives, and see whether the trial is still its own."""
        storage = self.ledger.storage
        try:
            frozen = storage.get_trial(self.trial_id)
            if frozen.state != TrialState.RUNNING or frozen.user_attrs.get(OWNER, {}).get("token") != self.token:
                self.is_lost = True
                self._end.set()
                return
            self._count += 1
            storage.set_trial_user_attr(self.trial_id, BEAT, f"{self.token} {self._count}")
        except (StorageInternalError, UpdateFinishedTrialError, OSError) as error:
            logger.warning("Trial %d: its storage did not answer (%s).", self.number, str(error).splitlines()[0])


class Ledger:
    """The trials of a search, and who runs them.

    A worker holds a lock in the directory of its trial, and changes an attribute of it every few seconds. A trial whose
    worker is gone waits again, with what was drawn for it and its run; which is one change of its state, so that it is
    never lost, and never there twice.

    Args:
        study: shared by all workers.
        storage: of the study.
        directory: of the search, on this machine.
        num_trials: of the whole search.
    """

    def __init__(self, study: Study, storage: BaseStorage, directory: Path, num_trials: int) -> None:
        self.study = study
        self.storage = storage
        self.directory = directory
        self.num_trials = num_trials
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._beats: dict[int, tuple[Any, float]] = {}

    def close(self) -> None:
        """Give back connections to a database; the study opens new ones when it is asked again."""
        if isinstance(self.storage, RDBStorage):
            self.storage.remove_session()
            self.storage.engine.dispose()

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Those of the search, or those in some states, by number."""
        found = self.storage.get_all_trials(self._study_id, deepcopy=False, states=states or None)
        return sorted((each for each in found if each.number < self.num_trials), key=lambda each: each.number)

    def claim_next(self) -> Claim | None:
        """The first trial that waits, which is now this process's own; None when none waits."""
        for frozen in self.trials(TrialState.WAITING):
            lock = self._lock_of(trial_directory(self.directory, frozen.number))
            if lock is None:
                continue
            try:
                is_mine = self.storage.set_trial_state_values(frozen._trial_id, TrialState.RUNNING)
            except UpdateFinishedTrialError:
                is_mine = False
            if is_mine:
                return Claim(self, frozen, lock)
            lock.release()
        return None

    def release_dead(self) -> None:
        """Let trials whose process is gone wait again; a trial that kills its process again and again fails."""
        for frozen in self.trials(TrialState.RUNNING):
            owner = frozen.user_attrs.get(OWNER) or {}
            path = Path(owner.get("lock", ""))
            if owner.get("host") == socket.gethostname() and path.is_file():
                if (lock := self._lock_of(path.parent)) is None:
                    continue
                try:
                    self._release(frozen, owner)
                finally:
                    lock.release()
            elif self._is_silent(frozen):
                self._release(frozen, owner)

    def _release(self, seen: FrozenTrial, owner: Mapping[str, Any]) -> None:
        frozen = self.storage.get_trial(seen._trial_id)
        if frozen.state != TrialState.RUNNING or (frozen.user_attrs.get(OWNER) or {}) != owner:
            return
        deaths = int(frozen.user_attrs.get(DEATHS, 0)) + 1
        try:
            self.storage.set_trial_user_attr(frozen._trial_id, DEATHS, deaths)
            if deaths >= MOST_DEATHS:
                reason = f"its process died {deaths} times (no memory left?)"
                self.storage.set_trial_user_attr(frozen._trial_id, REASON, reason)
                self.storage.set_trial_state_values(frozen._trial_id, TrialState.FAIL)
            else:
                self.storage.set_trial_state_values(frozen._trial_id, TrialState.WAITING)
        except UpdateFinishedTrialError:
            return
        logger.warning(
            "Trial %d: its process is gone; it %s.", frozen.number, "fails" if deaths >= MOST_DEATHS else "goes on"
        )

    def _is_silent(self, frozen: FrozenTrial) -> bool:
        now, beat = time.monotonic(), (frozen.user_attrs.get(OWNER), frozen.user_attrs.get(BEAT))
        former, since = self._beats.get(frozen.number, (None, now))
        if former != beat:
            since = now
        self._beats[frozen.number] = (beat, since)
        return now - since >= SECONDS_TO_DEATH

    def _lock_of(self, directory: Path) -> FileLock | None:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / ".claim", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock


def merit(frozen: FrozenTrial, is_better_high: bool) -> float | None:
    """How good a trial is, higher is better: its value, or the best that an ended one had; None of any other."""
    values: Sequence[float] = ()
    if frozen.state == TrialState.COMPLETE and frozen.values:
        values = frozen.values
    elif frozen.state == TrialState.PRUNED:
        values = list(frozen.intermediate_values.values())
    merits = [value if is_better_high else -value for value in values]
    return max(merits, default=None)
