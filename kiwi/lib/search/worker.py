"""A worker of a search: it claims a trial, trains it, reports the result, and claims the next trial.

:mod:`kiwi.lib.search` starts several workers as ``python -m kiwi.lib.search.worker DIRECTORY``.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from kiwi.exceptions import CheckpointError, ConfigError, KiwiError, PrunedError, StoppedError
from kiwi.lib import train
from kiwi.lib.search.attributes import CONFIGURATION, MLFLOW_PARENT, MLFLOW_RUN, REASON
from kiwi.lib.search.config import Configuration, load_search
from kiwi.lib.search.context import CONFIG_FILE, TRACKING_VARIABLE, SearchContext, open_search
from kiwi.lib.search.storage import explain_storage_errors
from kiwi.lib.search.trials import FINISHED, ClaimedTrial, trial_directory
from kiwi.systems.manifest.checkpoint import read_checkpoint_info
from kiwi.training.run_record import differences, read_status
from kiwi.training.state import STATE_FILE
from kiwi.utils.display import hide_secrets, map_texts
from kiwi.utils.dotted import put
from kiwi.utils.process.signals import stop_on_signals
from kiwi.utils.structured.reading import read_structured
from kiwi.utils.structured.writing import literal

logger = logging.getLogger("kiwi.lib.search")

LARGE_FILES = ("best_model", "checkpoints", STATE_FILE, "optimizer.safetensors")
"""Files that are removed when a trial is not among the best; configuration, metrics and logs stay."""

POLL_INTERVAL = 1.0
"""The interval in seconds at which the trials of other workers are checked when no trial waits."""


class OccupiedError(ConfigError):
    """Raised when the directory of a trial holds a trial of another search, which is not replaced."""


def work(context: SearchContext, on_change: Callable[[], None] = lambda: None) -> None:
    """Run trials until all trials of the search have ended, including those of other workers.

    Args:
        context: the search.
        on_change: called when a trial has ended, and while there is nothing to do.

    Raises:
        StoppedError: when a signal has stopped the trial, which waits for the next worker.
    """
    while True:
        context.trials.requeue_dead()
        claimed = context.trials.claim_next()
        if claimed is not None:
            with claimed:
                _run_trial(context, claimed)
            keep_best_models(context)
        elif context.trials.list_trials(TrialState.RUNNING, TrialState.WAITING):
            time.sleep(POLL_INTERVAL)
        else:
            on_change()
            return
        on_change()


def _run_trial(context: SearchContext, claimed: ClaimedTrial) -> None:
    """Draw the values of a trial, train it, and report to the study how it ended."""
    study, trial = context.study, claimed.trial
    try:
        drawn = {each.name: trial._suggest(each.name, each.distribution) for each in context.space.parameters}
        value = _train_trial(context, claimed, drawn)
    except StorageInternalError:
        raise  # the trial is not to blame; it is requeued when this worker counts as dead
    except PrunedError:
        if not claimed.is_lost:
            study.tell(trial, state=TrialState.PRUNED)
    except (KeyboardInterrupt, OccupiedError):
        claimed.requeue()
        raise
    except StoppedError as error:
        claimed.requeue()
        message = f"The search was stopped; its trial keeps its state. {context.advice}"
        raise StoppedError(message, signal_number=error.exit_code - 128) from error
    except Exception as error:  # a configuration may lead to anything: out of memory, NaN, no data that is left
        if claimed.is_lost:
            return
        reason = f"{type(error).__name__}: {error}" if not isinstance(error, KiwiError) else str(error)
        trial.set_user_attr(REASON, reason[:2000])
        study.tell(trial, state=TrialState.FAIL)
        logger.debug("Trial %d failed.", claimed.number, exc_info=True)
    else:
        claimed.send_heartbeat()
        if not claimed.is_lost:
            study.tell(trial, value)
    if claimed.is_lost:
        logger.warning("Trial %d: another worker has it now, because this one sent no heartbeats.", claimed.number)


def _train_trial(context: SearchContext, claimed: ClaimedTrial, drawn: dict[str, Any]) -> float:
    """Train a trial, or resume it, and return its metric."""
    directory = trial_directory(context.directory, claimed.number)
    options = context.space.build_options(drawn, output_dir=str(directory.resolve()))
    # Workers with other ranges read here what the trial was trained with.
    claimed.trial.set_user_attr(CONFIGURATION, hide_secrets(options | {"run": options["run"] | {"output_dir": None}}))
    tags = _track_trial(context, claimed, options)
    metric = f"val_{context.space.metric}"
    config = train.Configuration.from_dict(options)
    former = read_structured(directory / "config.yaml") if (directory / "config.yaml").is_file() else None
    if former is not None and differences(former, map_texts(hide_secrets(config.model_dump(mode="json")), literal)):
        raise OccupiedError(
            f"{directory}: found a trial of another search; expected one of '{context.name}', or nothing. Choose "
            f"another search_name or directory, or move {context.directory} away."
        )
    if read_status(directory).get("status") == "finished":
        # The process died after the end of the run and before the end of the trial.
        return read_checkpoint_info(directory / "best_model").metrics[metric]

    reported = set(context.trials.storage.get_trial(claimed.trial_id).intermediate_values)

    def report(number: int, value: float) -> bool:
        if claimed.is_lost:
            return True
        if number not in reported:  # a run that is resumed may repeat a validation
            claimed.trial.report(value, number)
            reported.add(number)
        return claimed.trial.should_prune()

    if (directory / STATE_FILE).is_file():
        try:
            resumed = {**options, "trainer": {**options["trainer"], "resume": True}}
            info = train.run(train.Configuration.from_dict(resumed), on_validation=report, tags=tags)
            return float(info.best_metrics[metric])
        except (CheckpointError, ConfigError) as error:
            logger.warning("Trial %d: it cannot be resumed and starts again: %s", claimed.number, error)
            (directory / STATE_FILE).unlink(missing_ok=True)
    info = train.run(config, on_validation=report, tags=tags)
    return float(info.best_metrics[metric])


def _track_trial(context: SearchContext, claimed: ClaimedTrial, options: dict[str, Any]) -> dict[str, str]:
    """Give a trial its run in MLflow, if MLflow is used, and return the run's tags."""
    if not options["run"]["use_mlflow"]:
        return {}
    options["run"]["run_id"] = claimed.trial.user_attrs.get(MLFLOW_RUN) or uuid.uuid4().hex
    claimed.trial.set_user_attr(MLFLOW_RUN, options["run"]["run_id"])
    tags = {"mlflow.runName": f"{context.name}, trial {claimed.number}"}
    if parent := context.study.user_attrs.get(MLFLOW_PARENT):
        tags["mlflow.parentRunId"] = parent
    return tags


def keep_best_models(context: SearchContext) -> None:
    """Remove the models on this machine of all trials that are not among the best."""
    n_kept = context.config.num_models_to_keep
    if n_kept < 0:
        return
    finished = context.rank_trials(*FINISHED)
    n_scored = sum(context.score(each) is not None for each in finished)
    for each in finished[min(n_kept, n_scored) :]:
        _remove(trial_directory(context.directory, each.number), LARGE_FILES)


def _remove(directory: Path, names: Iterable[str]) -> None:
    for name in names:
        path = directory / name
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _stop_without_parent() -> None:
    """Stop this process, as a signal would, when the process that started it ends."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(directory: Path) -> int:
    """Work on the search in a directory.

    Args:
        directory: the directory of the search, with its ``search.yaml``.

    Returns:
        The exit code.
    """
    import optuna

    from kiwi.lib.utils import configure_logging

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options = load_search(directory / CONFIG_FILE)
    if uri := os.environ.get(TRACKING_VARIABLE):
        put(options, "base_config.run.mlflow_tracking_uri", uri)
    config = Configuration.from_dict(options)
    configure_logging(verbose=config.verbose, quiet=config.quiet)
    threading.Thread(target=_stop_without_parent, daemon=True).start()
    try:
        with (
            closing(open_search(config, directory)) as context,
            stop_on_signals(context.advice),
            explain_storage_errors(context.advice),
        ):
            work(context)
    except KiwiError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
