"""A worker of a search: it takes a trial, trains, says what came out, and takes the next one.

``python -m kiwi.lib.search.worker DIRECTORY`` is one of several that :mod:`kiwi.lib.search` has started.
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
from kiwi.lib.search.config import Configuration
from kiwi.lib.search.keys import trial_directory
from kiwi.lib.search.space import Space
from kiwi.lib.search.study import open_storage, open_study
from kiwi.lib.search.trials import REASON, Claim, Ledger, merit
from kiwi.systems.manifest.checkpoint import read_checkpoint_info
from kiwi.training.run_record import differences, read_status
from kiwi.training.state import STATE_FILE
from kiwi.utils.io import read_structured

logger = logging.getLogger("kiwi.lib.search")

CONFIG_FILE = "search.yaml"

STORAGE_VARIABLE = "KIWI_SEARCH_STORAGE"
"""Tells the workers of a search its storage, with the password that is in no file."""

MLFLOW_PARENT = "mlflow_parent"
"""Attribute of a study: its run in MLflow."""

MLFLOW_RUN = "run_id"
"""Attribute of a trial: the id of its run."""

CONFIGURATION = "configuration"
"""Attribute of a trial: of its training, without a place."""

LARGE = ("best_model", "checkpoints", STATE_FILE, "optimizer.safetensors")
"""What a trial that is not among the best loses; what tells of it stays."""

SECONDS_BETWEEN_LOOKS = 1.0
"""At the trials of others, when none waits."""


def work(space: Space, ledger: Ledger, on_change: Callable[[], None] = lambda: None) -> None:
    """Run trials until all of the search have ended, those of other workers too.

    Args:
        space: what is searched.
        ledger: of the search.
        on_change: called when a trial has ended, and while nothing is to do.

    Raises:
        StoppedError: when a signal has stopped it; the trial waits for whoever goes on.
    """
    while True:
        ledger.release_dead()
        claim = ledger.claim_next()
        if claim is not None:
            with claim:
                _run_trial(space, ledger, claim)
            keep_best(space, ledger)
        elif ledger.trials(TrialState.RUNNING, TrialState.WAITING):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        else:
            on_change()
            return
        on_change()


def _run_trial(space: Space, ledger: Ledger, claim: Claim) -> None:
    """Train with what is drawn for the trial, and tell the study."""
    study, trial = ledger.study, claim.trial
    try:
        drawn = {each.name: trial._suggest(each.name, each.distribution) for each in space.parameters}
        value = _trained(space, ledger, claim, drawn)
    except StorageInternalError:
        raise  # no fault of the trial, which waits until its worker is missed
    except PrunedError:
        if not claim.is_lost:
            study.tell(trial, state=TrialState.PRUNED)
    except (StoppedError, KeyboardInterrupt):
        claim.requeue()
        raise
    except Exception as error:  # whatever a configuration leads to: no memory, no number, nothing to learn from
        if claim.is_lost:
            return
        reason = f"{type(error).__name__}: {error}" if not isinstance(error, KiwiError) else str(error)
        trial.set_user_attr(REASON, reason[:2000])
        study.tell(trial, state=TrialState.FAIL)
        logger.debug("Trial %d failed.", claim.number, exc_info=True)
    else:
        claim.look()
        if not claim.is_lost:
            study.tell(trial, value)
    if claim.is_lost:
        logger.warning("Trial %d is another worker's now; this one showed no life for too long.", claim.number)


def _trained(space: Space, ledger: Ledger, claim: Claim, drawn: dict[str, Any]) -> float:
    directory = trial_directory(ledger.directory, claim.number)
    options = space.options_for(drawn, output_dir=str(directory.resolve()))
    # What it trains with, for those whose ranges are others.
    claim.trial.set_user_attr(CONFIGURATION, options | {"run": options["run"] | {"output_dir": None}})
    tags: dict[str, str] = {}
    if options["run"]["use_mlflow"]:
        attributes = claim.trial.user_attrs
        options["run"]["run_id"] = attributes.get(MLFLOW_RUN) or uuid.uuid4().hex
        claim.trial.set_user_attr(MLFLOW_RUN, options["run"]["run_id"])
        tags = {"mlflow.runName": f"{ledger.study.study_name}, trial {claim.number}"}
        if parent := ledger.study.user_attrs.get(MLFLOW_PARENT):
            tags["mlflow.parentRunId"] = parent
    name = "val_" + "+".join(space.main_metric)
    config = train.Configuration.from_dict(options)
    former = read_structured(directory / "config.yaml") if (directory / "config.yaml").is_file() else None
    if former is not None and differences(former, config.model_dump(mode="json")):
        logger.warning("%s: holds a run of another search, which is replaced.", directory)
        _remove(directory, (*LARGE, "run.json"))
    elif read_status(directory).get("status") == "finished":
        # Its process died between the end of the run and that of the trial.
        return read_checkpoint_info(directory / "best_model").metrics[name]

    seen = set(ledger.storage.get_trial(claim.trial_id).intermediate_values)

    def report(number: int, value: float) -> bool:
        if claim.is_lost:
            return True
        if number not in seen:  # a run that goes on may come by the same validation again
            claim.trial.report(value, number)
            seen.add(number)
        return claim.trial.should_prune()

    if (directory / STATE_FILE).is_file():
        try:
            resumed = {**options, "trainer": {**options["trainer"], "resume": True}}
            info = train.run(train.Configuration.from_dict(resumed), on_validation=report, tags=tags)
            return float(info.best_metrics[name])
        except (CheckpointError, ConfigError) as error:
            logger.warning("Trial %d starts anew: %s", claim.number, error)
    info = train.run(config, on_validation=report, tags=tags)
    return float(info.best_metrics[name])


def keep_best(space: Space, ledger: Ledger) -> None:
    """Remove the models of trials that are not among the best, as far as they are on this machine."""
    n_kept = space.config.num_models_to_keep
    if n_kept < 0:
        return
    ended = ledger.trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    ranked = sorted(
        ((value, -each.number) for each in ended if (value := merit(each, space.is_better_high)) is not None),
        reverse=True,
    )
    kept = {-number for _, number in ranked[:n_kept]}
    for each in ended:
        directory = trial_directory(ledger.directory, each.number)
        if each.number not in kept:
            _remove(directory, LARGE)


def _remove(directory: Path, names: Iterable[str]) -> None:
    for name in names:
        path = directory / name
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def joined(config: Configuration, directory: Path, name: str, *, load: bool = False) -> tuple[Space, Ledger]:
    """The space and the trials of a search, whose study is made when it is not there.

    Args:
        config: of the search.
        directory: of the search.
        name: of the study.
        load: whether it has to be there, and may be one of other options.
    """
    space = Space(config)
    storage = open_storage(os.environ.get(STORAGE_VARIABLE) or config.storage, directory)
    study = open_study(space, storage, name, may_differ=load, must_exist=load)
    return space, Ledger(study, storage, directory, config.num_trials)


def _stop_without_parent() -> None:
    """Stop, as by a signal, when the process that has started this one is gone."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(directory: Path) -> int:
    """Work as ``search.yaml`` in the directory says; the exit code."""
    import optuna

    from kiwi.lib.utils import configure_logging

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    config = Configuration.from_dict(read_structured(directory / CONFIG_FILE))
    configure_logging(verbose=config.verbose, quiet=config.quiet)
    threading.Thread(target=_stop_without_parent, daemon=True).start()
    try:
        name = str(config.search_name or config.load_study)
        space, ledger = joined(config, directory, name, load=config.load_study is not None)
        with closing(ledger):
            work(space, ledger)
    except KiwiError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
