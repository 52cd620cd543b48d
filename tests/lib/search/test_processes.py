"""Several processes that share a study in a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from kiwi.lib.search import search_from_configuration, storage
from kiwi.lib.search.storage import open_storage
from kiwi.training import keep_state, module
from kiwi.training.run_record import read_status
from tests.postgresql import PostgreSQL

Options = Callable[..., dict[str, Any]]

N_TRIALS = 12


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    yield server
    server.stop()


def start_process(run: Callable[[], Any]) -> int:
    """Fork a process for a function and return its id; the process exits with 0 when the function returns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking while other threads exist, which are idle here
        child = os.fork()
    if child == 0:
        code = 1
        try:
            run()
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(code)
    return child


def wait_for(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_statements_end(server: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "STATEMENT_TIMEOUT", 1)
    opened = open_storage(server.url, tmp_path)
    assert isinstance(opened, RDBStorage)
    with opened.engine.connect() as connection, pytest.raises(Exception, match="statement timeout"):
        connection.exec_driver_sql("SELECT pg_sleep(30)")
    opened.engine.dispose()


def test_processes_share_a_study(server: PostgreSQL, options: Options, tmp_path: Path) -> None:
    base = options({"trainer.main_metric": "RMSE", "trainer.epochs": 2})
    settings = {
        "base_config": base,
        "search_name": "shared",
        "num_trials": N_TRIALS,
        "num_models_to_keep": -1,
        "options": {
            "learning_rate": {"lower": 1e-3, "upper": 1e-1, "distribution": "loguniform"},
            "class_weights": {"target_tags": None, "gap_tags": None},
            "sentence_loss_weight": None,
            "search_method": "random",
            "validation_steps": 1.0,
            "pruner": "none",
        },
    }
    alone = search_from_configuration({**settings, "directory": str(tmp_path / "alone")})

    def one_of_them(name: str) -> None:
        # Each has its own directory, as on machines that share only the database.
        search_from_configuration({**settings, "storage": server.url, "directory": str(tmp_path / name)})

    def one_that_dies() -> None:
        keep_state.SHARE_OF_TIME = 1e9
        step, calls = module.TrainingModule.training_step, 0

        def deadly(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 4:
                time.sleep(0.5)
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*args)

        module.TrainingModule.training_step = deadly  # type: ignore[method-assign]
        one_of_them("dead")

    processes = [
        start_process(one_that_dies),
        *(start_process(lambda name=name: one_of_them(name)) for name in ("one", "other")),
    ]
    assert [wait_for(process) for process in processes] == [-signal.SIGKILL, 0, 0]

    storage = open_storage(server.url, tmp_path)
    assert isinstance(storage, RDBStorage)
    study = optuna.load_study(study_name="shared", storage=storage)
    trials = study.trials
    storage.engine.dispose()
    assert [trial.number for trial in trials] == list(range(N_TRIALS))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    # No trial was lost or run twice, and its result does not depend on the process that runs it.
    assert [(trial.params, trial.value) for trial in trials] == [
        (trial.params, trial.value) for trial in alone.study.trials
    ]
    runs = {
        path: read_status(path)["status"] for path in tmp_path.glob("*/shared/trial_*") if (path / "run.json").exists()
    }
    finished = [path for path, status in runs.items() if status == "finished" and path.parts[-3] != "alone"]
    assert Counter(path.name for path in finished) == {f"trial_{number}": 1 for number in range(N_TRIALS)}
    assert {path.parts[-3] for path in finished} == {"one", "other"}
    died = [trial for trial in trials if trial.user_attrs.get("deaths")]
    assert [path.name for path in runs if path.parts[-3] == "dead"] == [f"trial_{died[0].number}"]
    assert len(died) == 1
    pages = [(tmp_path / name / "shared" / "best.yaml").read_text(encoding="utf-8") for name in ("one", "other")]
    assert pages[0] == pages[1]
