"""Search for hyperparameters: ``kiwi search``."""

from __future__ import annotations

import logging
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from kiwi.exceptions import ConfigError, KiwiError, StoppedError
from kiwi.lib.search.config import (
    Configuration,
    load_search,
)
from kiwi.lib.utils import configure_logging
from kiwi.loggers import MLFlowTrackingLogger, tracked
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import write_yaml

if TYPE_CHECKING:
    from kiwi.lib.search.progress import Progress
    from kiwi.lib.search.space import Space
    from kiwi.lib.search.trials import Ledger

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchInfo:
    """What came out of a search."""

    directory: Path
    """Of the search, with a directory for each trial."""

    best_trial: int
    """Number of the best trial."""

    best_value: float
    """Its main metric."""

    best_options: dict[str, Any]
    """What was drawn for it, by name of the option or dotted key."""

    best_config: Path
    """``best.yaml``: give it to ``kiwi train`` to train the best trial again."""

    report: Path
    """``search.html``."""

    study: Any
    """Optuna's."""


def search_from_file(filename: str | Path) -> SearchInfo:
    """Search as a configuration file says.

    Args:
        filename: YAML or JSON.

    Returns:
        The best trial, and where everything is.

    Raises:
        ConfigError: listing every mistake of the configuration.
        KiwiError: when no trial came to its end.
    """
    return search_from_configuration(load_search(filename))


def search_from_configuration(configuration_dict: Mapping[str, Any]) -> SearchInfo:
    """Search as a mapping of options says.

    Args:
        configuration_dict: options of :class:`Configuration`.

    Returns:
        The best trial, and where everything is.

    Raises:
        ConfigError: listing every mistake of the configuration.
        KiwiError: when no trial came to its end.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


def run(config: Configuration) -> SearchInfo:
    """Run the trials of a search that nobody has run yet, with others or alone.

    Args:
        config: of the search.

    Returns:
        The best trial, and where everything is.

    Raises:
        StoppedError: when SIGTERM or Ctrl-C has stopped it.
        KiwiError: when no trial came to its end.
    """
    with needs_extra("search", "kiwi search"):
        import optuna
        import plotly  # noqa: F401  (for search.html, at the end)

        from kiwi.lib.search.worker import joined

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    config, directory, name = _placed(config)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"directory: {directory}: cannot be written to ({error.strerror}).") from error
    space, ledger = joined(config, directory, name, load=config.load_study is not None)
    with closing(ledger):
        return _searched(config, space, ledger, directory, name)


def _searched(config: Configuration, space: Space, ledger: Ledger, directory: Path, name: str) -> SearchInfo:
    from kiwi.lib.search.processes import with_workers
    from kiwi.lib.search.progress import Progress, is_terminal, live, quiet_trials
    from kiwi.lib.search.report import write_report
    from kiwi.lib.search.worker import MLFLOW_PARENT, keep_best, work

    _write_config(config, directory, name)
    logger.info("Search '%s': %d trials, in %s", name, config.num_trials, directory)
    for parameter in space.parameters:
        logger.info("  %s: %s", parameter.name, parameter.distribution)
    tracker = _open_tracker(config, ledger)
    if tracker is not None:
        ledger.study.set_user_attr(MLFLOW_PARENT, tracker.mlflow_run_id)
    with tracked(tracker, directory, config.model_dump(mode="json", exclude={"storage", "base_config"})):
        with quiet_trials(verbose=config.verbose, quiet=config.quiet):
            progress = Progress(space, ledger, is_live=is_terminal() and not (config.quiet or config.verbose))
            with live(progress), _stoppable(name):
                if config.num_workers == 1:
                    work(space, ledger, progress.update)
                else:
                    with_workers(config, directory, ledger, progress)
        configure_logging(verbose=config.verbose, quiet=config.quiet)
        keep_best(space, ledger)
        report = directory / "search.html"
        write_report(report, space, ledger)
        info = _result(space, ledger, progress, directory, report)
        if tracker is not None:
            tracker.set_tags({"kiwi.best_trial": info.best_trial})
            tracker.log_metrics({"best_" + "+".join(space.main_metric): info.best_value}, step=config.num_trials)
            for file in (report, info.best_config):
                tracker.log_file(file)
    logger.info("Best trial: %d; its configuration: %s; all trials: %s", info.best_trial, info.best_config, report)
    return info


def _placed(config: Configuration) -> tuple[Configuration, Path, str]:
    """The configuration of a search that has a name, its directory, and its name."""
    from kiwi.lib.search.worker import CONFIG_FILE

    if config.load_study is None:
        name = config.search_name or f"{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
        return config.model_copy(update={"search_name": name}), config.directory / name, name
    named = Path(config.load_study)
    directory = named if (named / CONFIG_FILE).is_file() else config.directory / named.name
    if config.storage is None and not (directory / CONFIG_FILE).is_file():
        raise ConfigError(
            f"load_study: found no search at {named} or {directory}; expected the directory of a former one, or its "
            "name under directory, or in storage."
        )
    return config.model_copy(update={"load_study": directory.name}), directory, directory.name


def _write_config(config: Configuration, directory: Path, name: str) -> None:
    from kiwi.lib.search.study import hidden
    from kiwi.lib.search.worker import CONFIG_FILE

    options = config.model_dump(mode="json", exclude_unset=True) | {"directory": str(directory.parent)}
    if config.load_study is None:
        options["search_name"] = name
    if config.storage is not None:
        options["storage"] = hidden(config.storage)  # workers are told the password otherwise
    write_yaml(directory / CONFIG_FILE, options)


def _open_tracker(config: Configuration, ledger: Ledger) -> MLFlowTrackingLogger | None:
    from kiwi.lib.search.worker import MLFLOW_PARENT

    run = config.base_config.run
    if not run.use_mlflow:
        return None
    former = ledger.study.user_attrs.get(MLFLOW_PARENT)
    tracker = MLFlowTrackingLogger(
        run.experiment_name, former, run.mlflow_tracking_uri, run.mlflow_always_log_artifacts, anchor=Path()
    )
    tracker.set_tags({"mlflow.runName": ledger.study.study_name})
    tracker.describe(f"Search of {config.num_trials} trials with {config.options.search_method}")
    return tracker


@contextmanager
def _stoppable(name: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into an error that says how to go on."""
    advice = f"To go on, run the same command with search_name={name}."
    former: Any = None

    def stop(number: int, frame: FrameType | None) -> None:
        raise StoppedError(f"Stopped by SIGTERM. {advice}", signal_number=number)

    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as error:
        raise StoppedError(f"Stopped by Ctrl-C. {advice}", signal_number=signal.SIGINT) from error
    except StoppedError as error:
        number = error.exit_code - 128
        raise StoppedError(
            f"The search is stopped, its trial keeps its state. {advice}", signal_number=number
        ) from error
    finally:
        if is_main:
            with suppress(TypeError):
                signal.signal(signal.SIGTERM, former)


def _result(space: Space, ledger: Ledger, progress: Progress, directory: Path, report: Path) -> SearchInfo:
    from kiwi.lib.search.keys import plain
    from kiwi.lib.search.trials import REASON
    from kiwi.lib.search.worker import CONFIGURATION

    best = progress.best()
    if best is None:
        trials = ledger.trials()
        reason = next((each.user_attrs[REASON] for each in trials if REASON in each.user_attrs), "all ended early")
        raise KiwiError(
            f"None of {len(trials)} trials came to its end; the first reason: {reason}\nAll are in {report}"
        )
    options = {**best.user_attrs[CONFIGURATION], "verbose": False, "quiet": False}
    best_config = directory / "best.yaml"
    write_yaml(best_config, options)
    drawn = {name: plain(value) for name, value in best.params.items()}
    assert best.value is not None
    return SearchInfo(directory, best.number, best.value, drawn, best_config, report, ledger.study)
