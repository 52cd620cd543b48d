"""Search for hyperparameters: ``kiwi search``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiwi.exceptions import KiwiError
from kiwi.lib.search.attributes import CONFIGURATION, REASON
from kiwi.lib.search.config import Configuration, load_search
from kiwi.lib.search.result import SearchInfo
from kiwi.lib.search.trial_values import decode_value
from kiwi.lib.utils import configure_logging
from kiwi.utils.imports import needs_extra
from kiwi.utils.inputs import refuse_pipes
from kiwi.utils.process.signals import stop_on_signals
from kiwi.utils.structured.writing import write_configuration

if TYPE_CHECKING:
    from kiwi.lib.search.context import SearchContext

logger = logging.getLogger("kiwi.lib.search")


def search_from_file(filename: str | Path) -> SearchInfo:
    """Run a search with the options of a configuration file.

    Args:
        filename: a YAML or JSON file.

    Returns:
        The best trial, and where its configuration and the report are.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        KiwiError: when no trial was completed.
    """
    return search_from_configuration(load_search(filename))


def search_from_configuration(configuration_dict: Mapping[str, Any]) -> SearchInfo:
    """Run a search with a mapping of options.

    Args:
        configuration_dict: the options of :class:`Configuration`.

    Returns:
        The best trial, and where its configuration and the report are.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        KiwiError: when no trial was completed.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


def run(config: Configuration) -> SearchInfo:
    """Run the trials of a search that no other process runs, alone or together with other processes.

    Args:
        config: the configuration of the search.

    Returns:
        The best trial, and where its configuration and the report are.

    Raises:
        StoppedError: when SIGTERM or Ctrl-C has stopped the search.
        KiwiError: when no trial was completed.
    """
    refuse_pipes(config.base_config, "base_config", "each trial reads the files again, and a pipe can be read once")
    with needs_extra("search", "kiwi search"):
        import optuna
        import plotly  # noqa: F401  (the report needs it at the end)

        from kiwi.lib.search.context import locate_search, open_search, write_search_file
        from kiwi.lib.search.processes import run_workers
        from kiwi.lib.search.progress import show_progress
        from kiwi.lib.search.report import write_report
        from kiwi.lib.search.storage import explain_storage_errors
        from kiwi.lib.search.tracking import log_result, track_search
        from kiwi.lib.search.worker import keep_best_models, work

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with closing(open_search(*locate_search(config))) as context:
        write_search_file(context)
        logger.info("Search '%s': %d trials, in %s", context.name, config.num_trials, context.directory)
        for parameter in context.space.parameters:
            logger.info("  %s: %s", parameter.name, parameter.distribution)
        with track_search(context) as tracker:
            with (
                show_progress(context) as progress,
                stop_on_signals(context.advice),
                explain_storage_errors(context.advice),
            ):
                if config.num_workers == 1:
                    work(context, progress.update)
                else:
                    run_workers(context, progress.update)
            keep_best_models(context)
            report = write_report(context)
            info = _summarize(context, report)
            log_result(tracker, context, info)
    logger.info("Best trial: %d; its configuration: %s; all trials: %s", info.best_trial, info.best_config, report)
    return info


def _summarize(context: SearchContext, report: Path) -> SearchInfo:
    """Write the configuration of the best trial, and return the result of the search."""
    best = context.best_trial()
    if best is None:
        trials = context.trials.list_trials()
        reason = next((each.user_attrs[REASON] for each in trials if REASON in each.user_attrs), "all ended early")
        raise KiwiError(f"None of {len(trials)} trials was completed; the first reason: {reason}\nSee {report}")
    assert best.value is not None
    best_config = context.directory / "best.yaml"
    write_configuration(best_config, {**best.user_attrs[CONFIGURATION], "verbose": False, "quiet": False})
    drawn = {name: decode_value(value) for name, value in best.params.items()}
    return SearchInfo(context.directory, best.number, best.value, drawn, best_config, report, context.study)
