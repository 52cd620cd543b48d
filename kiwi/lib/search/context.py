"""The context of a search, which all of its steps share."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from kiwi.exceptions import ConfigError
from kiwi.lib.search.config import Configuration
from kiwi.lib.search.space import SearchSpace, build_space
from kiwi.lib.search.storage import JOURNAL_FILE, open_storage
from kiwi.lib.search.study import open_study
from kiwi.lib.search.trials import TrialQueue
from kiwi.utils.guard import Guard, paths_in
from kiwi.utils.structured.reading import read_structured
from kiwi.utils.structured.writing import write_configuration

CONFIG_FILE = "search.yaml"

FILES = (CONFIG_FILE, JOURNAL_FILE, "search.html", "best.yaml")
"""The files of a search in its directory, apart from its trials."""

STORAGE_VARIABLE = "KIWI_SEARCH_STORAGE"
"""Environment variable that passes the URL of the storage to workers, because its password is written to no file."""

TRACKING_VARIABLE = "KIWI_SEARCH_TRACKING_URI"
"""The same for the URI of the MLflow server."""


@dataclass(frozen=True)
class SearchContext:
    """An open search."""

    config: Configuration
    """The configuration of the search, with its name."""

    directory: Path
    """The directory of the search on this machine."""

    name: str
    """The name of the search and of its study."""

    space: SearchSpace
    """The search space: the options that differ between trials."""

    trials: TrialQueue
    """The trials of the search."""

    @property
    def study(self) -> Study:
        """The study that all workers share."""
        return self.trials.study

    @property
    def advice(self) -> str:
        """How to resume the search when it is stopped."""
        is_named = self.config.load_study is None
        return f"To resume, run the same command {f'with search_name={self.name}' if is_named else 'again'}."

    def rank_trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the trials in some states, the best first and those without a value last."""

        def position(trial: FrozenTrial) -> tuple[float, int]:
            value = self.score(trial)
            return float("inf") if value is None else -value, trial.number

        return sorted(self.trials.list_trials(*states), key=position)

    def score(self, trial: FrozenTrial) -> float | None:
        """Return the merit of a trial, higher is better: its value or, if it ended early, its best validation."""
        values: Sequence[float] = ()
        if trial.state == TrialState.COMPLETE and trial.values:
            values = trial.values
        elif trial.state == TrialState.PRUNED:
            values = list(trial.intermediate_values.values())
        return max((value if self.space.is_better_high else -value for value in values), default=None)

    def best_trial(self) -> FrozenTrial | None:
        """Return the best trial that was completed; None when there is none."""
        return next(iter(self.rank_trials(TrialState.COMPLETE)), None)

    def close(self) -> None:
        """Close the connections to a database."""
        self.trials.close()


def locate_search(config: Configuration) -> tuple[Configuration, Path]:
    """Return the configuration with the name of the search, which is drawn when unset, and the directory of the search.

    Args:
        config: the configuration of the search.

    Raises:
        ConfigError: when the search to load does not exist.
    """
    if config.load_study is None:
        name = config.search_name or f"{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
        return config.model_copy(update={"search_name": name}), config.directory / name
    given = Path(config.load_study)
    directory = given if (given / CONFIG_FILE).is_file() else config.directory / given.name
    if config.storage is None and not (directory / CONFIG_FILE).is_file():
        raise ConfigError(
            f"load_study: found no search at {given} or {directory}; expected the directory of a former search, or its "
            "name under directory, or in storage."
        )
    return config.model_copy(update={"load_study": directory.name}), directory


def open_search(config: Configuration, directory: Path) -> SearchContext:
    """Open a search, and create its study when there is none.

    Args:
        config: the configuration of the search, with its name.
        directory: the directory of the search.

    Raises:
        ConfigError: when the search cannot run as configured, or its name is that of another search.
    """
    _check_directory(config, directory)
    space = build_space(config)  # what it rejects leaves no directory behind
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"directory: {directory}: cannot be written to ({error.strerror}).") from error
    name = str(config.search_name or config.load_study)
    storage = open_storage(os.environ.get(STORAGE_VARIABLE) or config.storage, directory)
    trials = TrialQueue(open_study(config, space, storage, name), storage, directory, config.num_trials)
    return SearchContext(config, directory, name, space, trials)


def _check_directory(config: Configuration, directory: Path) -> None:
    """Reject a directory with files that the search would replace, but that are not those of a search.

    Raises:
        ConfigError: when there is such a file.
    """
    is_own = (directory / JOURNAL_FILE).is_file()
    if not is_own and (directory / CONFIG_FILE).is_file():  # of a search whose trials are in a database
        content = read_structured(directory / CONFIG_FILE)
        is_own = isinstance(content, dict) and "base_config" in content and "directory" in content
    guard = Guard(list(paths_in(config.base_config.data)), config.overwrite, "overwrite=true")
    guard.check((directory / name for name in FILES), is_own=is_own)


def write_search_file(context: SearchContext) -> None:
    """Write the configuration of a search for its workers, and for those who resume it."""
    config = context.config
    options = config.model_dump(mode="json", exclude_unset=True) | {"directory": str(context.directory.parent)}
    if config.load_study is None:
        options["search_name"] = context.name
    write_configuration(context.directory / CONFIG_FILE, options)
