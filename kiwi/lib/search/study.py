"""The study that the workers of a search share: where it is stored, and which worker has which trial."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from kiwi.exceptions import ConfigError, MissingExtraError
from kiwi.lib.search.space import Space

logger = logging.getLogger("kiwi.lib.search")

JOURNAL = "study.journal"

TRIES_TO_OPEN = 10
"""A database whose tables are being made."""


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
