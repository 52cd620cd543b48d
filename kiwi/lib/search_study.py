"""The study that the workers of a search share: where it is stored, and which worker has which trial."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from kiwi.exceptions import ConfigError, MissingExtraError
from kiwi.lib.search_space import Space, trial_directory

logger = logging.getLogger("kiwi.lib.search")

JOURNAL = "study.journal"

SECONDS_BETWEEN_BEATS = 10.0
"""Of a worker, while it has a trial."""

SECONDS_TO_DEATH = 60.0
"""Without a beat, until a worker on another machine is taken for dead. One on this machine is known by its lock."""

MOST_DEATHS = 3
"""Of the process of a trial, until it is the trial's fault."""

TRIES_TO_OPEN = 10
"""A database whose tables are being made."""

OWNER, BEAT, DEATHS, REASON = "worker", "beat", "deaths", "reason"
"""Attributes of a trial."""


def open_storage(url: str | None, directory: Path) -> BaseStorage:
    """The journal file of a search, or a database.

    Args:
        url: of a database; None is the journal file.
        directory: of the search.

    Raises:
        ConfigError: when the database cannot be reached.
        MissingExtraError: when its driver is not installed.
    """
    if url is None:
        path = directory / JOURNAL
        lock: Any = _Lock(directory / f".{JOURNAL}.lock")
        _cut_torn_line(path, lock)
        return JournalStorage(JournalFileBackend(str(path), lock))
    if "://" not in url:
        raise ConfigError(f"storage: found '{url}'; expected the URL of a database, such as sqlite:///search.db.")
    try:
        return _open_database(url)
    except ImportError as error:
        raise MissingExtraError(
            f"storage: the driver of {hidden(url)} is not installed ({error.__cause__ or error}). Install it, such as "
            "'psycopg[binary]' for postgresql+psycopg://, or name another in the URL."
        ) from error
    except Exception as error:  # of SQLAlchemy, and of any driver
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ConfigError(f"storage: {hidden(url)} cannot be used: {reason}. Is it there, and the password?") from error


def _open_database(url: str) -> BaseStorage:
    """Open it; workers that come at the same time stand in each other's way while its tables are made."""
    for attempt in range(TRIES_TO_OPEN):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        except Exception as error:
            made_by_another = type(error).__name__ == "IntegrityError" or "already exists" in str(error)
            if not made_by_another or attempt == TRIES_TO_OPEN - 1:
                raise
            time.sleep(0.5)
    raise AssertionError("not reached")


def hidden(url: str) -> str:
    """A URL without its password."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}:***{at}{place}" if ":" in user else url


class _Lock:
    """Of the journal: held by a process, and free when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _cut_torn_line(path: Path, lock: _Lock) -> None:
    """A power cut may leave the beginning of a line, which would spoil the next one."""
    lock.acquire()
    try:
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            logger.warning("%s: its last line was cut off when it was written, and is left out.", path)
            with path.open("r+b") as file:
                file.truncate(whole)
    finally:
        lock.release()


class SeededByTrial(optuna.samplers.BaseSampler):
    """Draws the same for a trial whoever asks: in a search that goes on, and by any number of workers.

    Args:
        method: of the search.
        seed: of the search; each trial has one of its own.
    """

    def __init__(self, method: str, seed: int) -> None:
        self.method = method
        self.seed = seed
        self._number = -1
        self._sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed)

    def _of(self, trial: FrozenTrial) -> optuna.samplers.BaseSampler:
        if trial.number != self._number:
            self._number = trial.number
            seed = (self.seed * 1_000_003 + trial.number) % 2**32
            if self.method == "random":
                self._sampler = optuna.samplers.RandomSampler(seed)
            else:
                multivariate = self.method == "multivariate_tpe"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ExperimentalWarning)
                    self._sampler = optuna.samplers.TPESampler(seed=seed, multivariate=multivariate, constant_liar=True)
        return self._sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """As the method does."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
        """As the method does."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """As the method does."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)


PRUNERS = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource="auto", reduction_factor=3),
    "none": optuna.pruners.NopPruner,
}


def open_study(space: Space, storage: BaseStorage, name: str, *, may_differ: bool, must_exist: bool) -> Study:
    """Make a study, or join it, and see that it has all its trials, which wait for workers.

    Args:
        space: what is searched.
        storage: of the study.
        name: of the study.
        may_differ: whether it may be a study of other ranges.
        must_exist: whether it has to be there.

    Raises:
        ConfigError: when it is the study of another search, or not there.
    """
    options = space.config.options
    parts: dict[str, Any] = {
        "storage": storage,
        "sampler": SeededByTrial(options.search_method, space.config.seed),
        "pruner": PRUNERS[options.pruner](),
    }
    direction = StudyDirection.MAXIMIZE if space.is_better_high else StudyDirection.MINIMIZE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if must_exist and name not in optuna.get_all_study_names(storage):
            known = ", ".join(optuna.get_all_study_names(storage)) or "none"
            raise ConfigError(f"load_study: found no search '{name}'; there are: {known}.")
        try:
            study = optuna.create_study(study_name=name, direction=direction, **parts)
            study.set_user_attr("search", space.described())
            is_mine = True
        except DuplicatedStudyError:
            study = optuna.load_study(study_name=name, **parts)
            _check_same(study, space, may_differ)
            is_mine = False
    there = -1
    while not is_mine and there < len(study.get_trials(deepcopy=False)) < space.config.num_trials:
        # Whoever has made it fills it. Should two do so at once, those above the number of trials are never run.
        there = len(study.get_trials(deepcopy=False))
        time.sleep(1.0)
    for _ in range(space.config.num_trials - len(study.get_trials(deepcopy=False))):
        study.enqueue_trial({})
    return study


def _check_same(study: Study, space: Space, may_differ: bool) -> None:
    from kiwi.training.run_record import differences

    former, now = study.user_attrs.get("search"), space.described()
    if former is None:
        # Whoever made it was killed before it could say, or has just made it.
        study.set_user_attr("search", now)
        return
    names = ("main_metric",) if may_differ else tuple(now)
    differing = differences({name: former[name] for name in names}, {name: now[name] for name in names})
    if differing:
        listing = "\n".join(f"  {key}: {new}; the search has {old}" for key, (old, new) in differing.items())
        advice = "" if may_differ else f" or load_study={study.study_name} to go on with other options,"
        raise ConfigError(
            f"search_name: '{study.study_name}' is another search:\n{listing}\nUse the same options,{advice} or "
            "another search_name."
        )
    if may_differ:
        _check_choices(study, space)


def _check_choices(study: Study, space: Space) -> None:
    """Choices of a study are fixed; intervals may change."""
    for trial in study.get_trials(deepcopy=False):
        for parameter in space.parameters:
            if (former := trial.distributions.get(parameter.name)) is None:
                continue
            try:
                optuna.distributions.check_distribution_compatibility(former, parameter.distribution)
            except ValueError as error:
                raise ConfigError(
                    f"{parameter.option}: found {parameter.distribution}; the search '{study.study_name}' has "
                    f"{former}; choices, and kinds of ranges, stay in one search. Keep them, or start a new search."
                ) from error


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
        logger.warning("Trial %d: its process is gone; it %s.", frozen.number, "fails" if deaths >= 3 else "goes on")

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
