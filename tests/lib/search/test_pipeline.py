"""Searches that run to the end, are stopped or are killed."""

from __future__ import annotations

import csv
import logging
import os
import re
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from rich.console import Console

from kiwi.exceptions import ConfigError, KiwiError, MissingExtraError, StoppedError
from kiwi.lib.search import (
    Configuration,
    SearchInfo,
    progress as search_progress,
    search_from_configuration,
    search_from_file,
    storage as search_storage,
    study as search_study,
    trials as search_trials,
    worker as search_worker,
)
from kiwi.lib.search.context import SearchContext, open_search, write_search_file
from kiwi.lib.search.report import write_report
from kiwi.lib.search.storage import open_storage
from kiwi.lib.train import train_from_configuration
from kiwi.lib.utils import load_configuration
from kiwi.runner import load_system
from kiwi.training import keep_state, module
from kiwi.training.run_record import read_status
from kiwi.utils.structured.writing import write_yaml
from tests.dripping import DrippingServer

Options = Callable[..., dict[str, Any]]

RANGES = {
    "learning_rate": {"lower": 1e-3, "upper": 1e-1, "distribution": "loguniform"},
    "class_weights": {"target_tags": None, "gap_tags": None},
    "sentence_loss_weight": None,
}


@pytest.fixture
def settings(options: Options, tmp_path: Path) -> Options:
    """Make the options of a small search: ``settings({"dotted.key of base_config": value}, **options)``."""

    def make(changes: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
        base = options({"trainer.main_metric": "RMSE", **(changes or {})})
        own = {
            "base_config": base,
            "directory": str(tmp_path / "searches"),
            "search_name": "tiny",
            "num_trials": 4,
            "options": {**RANGES, "validation_steps": 1.0, "pruner": "none", "search_method": "random"},
        }
        own["options"] |= given.pop("options", {})
        return {**own, **given}

    return make


def states(info: SearchInfo) -> list[TrialState]:
    return [trial.state for trial in info.study.trials]


def values(info: SearchInfo) -> list[Any]:
    return [(trial.number, trial.params, trial.values) for trial in info.study.trials]


def test_a_search(settings: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    info = search_from_configuration(settings({"trainer.epochs": 2}, num_trials=5, num_models_to_keep=2))
    directory = tmp_path / "searches" / "tiny"
    assert info.directory == directory
    trials = info.study.trials
    assert states(info) == [TrialState.COMPLETE] * 5
    # RMSE: lower is better.
    ranked = sorted(trials, key=lambda trial: trial.value)
    assert (info.best_trial, info.best_value) == (ranked[0].number, ranked[0].value)
    assert info.best_options == ranked[0].params
    # The best models stay and can be used; of the others, only small files stay.
    for place, trial in enumerate(ranked):
        run = directory / f"trial_{trial.number}"
        there = {path.name for path in run.iterdir()}
        assert {"config.yaml", "metrics.csv", "run.json", "output.log", "learning_curve.svg"} <= there
        assert ({"best_model", "checkpoints"} <= there) == (place < 2)
        assert ("optimizer.safetensors" in there) == (place < 2)
        assert read_status(run)["status"] == "finished"
        rows = list(csv.DictReader((run / "metrics.csv").read_text(encoding="utf-8").splitlines()))
        assert trial.value == min(float(row["val_RMSE"]) for row in rows if row["val_RMSE"])
        assert "Training on 40 segments" in (run / "output.log").read_text(encoding="utf-8")
    best = load_system(directory / f"trial_{info.best_trial}" / "best_model")
    assert len(best.predict(["a b"], ["c d"], ["0-0"]).sentences_hter) == 1
    assert f"Trial {info.best_trial}: RMSE {info.best_value:.4f}, learning_rate" in caplog.text

    # best.yaml trains the best trial again, to the last digit.
    again = load_configuration(info.best_config, [f"run.output_dir={tmp_path / 'again'}"])
    assert train_from_configuration(again).best_metrics["val_RMSE"] == info.best_value
    rows = [(place / "metrics.csv").read_bytes() for place in (tmp_path / "again", best_place(info))]
    assert rows[0] == rows[1]
    models = [place / "best_model" / "model.safetensors" for place in (tmp_path / "again", best_place(info))]
    assert models[0].read_bytes() == models[1].read_bytes()

    page = info.report.read_text(encoding="utf-8")
    for title in ("History", "Validations", "Parallel coordinates", "Importances", "Slices", "Trials"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("plotly-graph-div") == 5
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)

    # The same command again has nothing to do; more trials resume the search.
    former = values(info)
    assert values(search_from_configuration(settings({"trainer.epochs": 2}, num_trials=5))) == former
    more = search_from_configuration(settings({"trainer.epochs": 2}, num_trials=6))
    assert values(more)[:5] == former
    assert len(more.study.trials) == 6


def best_place(info: SearchInfo) -> Path:
    return info.directory / f"trial_{info.best_trial}"


def test_a_search_that_is_rejected_leaves_nothing(settings: Options, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"Ranges that the base configuration rejects:\n.*foo"):
        search_from_configuration(settings(options={"space": {"foo.bar": [1, 2]}}))
    assert sorted(tmp_path.iterdir()) == before


def test_a_search_from_a_file_draws_a_name(settings: Options, tmp_path: Path) -> None:
    options = settings(num_trials=1)
    del options["search_name"]
    write_yaml(tmp_path / "search.yaml", options)
    info = search_from_file(tmp_path / "search.yaml")
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", info.directory.name)


@pytest.mark.parametrize("method", ["random", "tpe", "multivariate_tpe"])
def test_methods_draw_the_same_again(method: str, settings: Options, tmp_path: Path) -> None:
    drawn = []
    for name in ("one", "other"):
        config = Configuration.from_dict(
            settings(search_name=name, num_trials=14, options={"search_method": method, "dropout": [0.1, 0.2]})
        )
        (tmp_path / name).mkdir()
        context = open_search(config, tmp_path / name)
        parameters, trials = context.space.parameters, context.trials
        while (claimed := trials.claim_next()) is not None:
            with claimed:
                params = {each.name: claimed.trial._suggest(each.name, each.distribution) for each in parameters}
                context.study.tell(claimed.trial, abs(params["learning_rate"] - 0.01) + params["dropout"])
        drawn.append([trial.params for trial in trials.list_trials()])
    assert drawn[0] == drawn[1]
    assert len({trial["learning_rate"] for trial in drawn[0]}) == 14


def test_a_trial_that_fails_gives_the_reason_and_the_search_continues(
    settings: Options, caplog: pytest.LogCaptureFixture
) -> None:
    ranges = {"space": {"trainer.checkpoint.validation_steps": [1.0, 1000]}}
    info = search_from_configuration(settings(num_trials=6, options=ranges))
    failed = [trial for trial in info.study.trials if trial.state == TrialState.FAIL]
    assert 0 < len(failed) < 6
    for trial in failed:
        assert trial.params["trainer.checkpoint.validation_steps"] == 1000
        assert trial.value is None
        assert "because without a validation no model is saved" in trial.user_attrs["reason"]
        assert read_status(info.directory / f"trial_{trial.number}")["status"] == "failed"
    assert f"Trial {failed[0].number} failed: trainer.checkpoint.validation_steps: found 1000" in caplog.text
    assert "because without a validation" in info.report.read_text(encoding="utf-8")


def test_a_search_in_which_all_fail_is_an_error(settings: Options, tmp_path: Path) -> None:
    ranges = {"space": {"trainer.checkpoint.validation_steps": [1000, 2000]}}
    with pytest.raises(KiwiError, match="None of 2 trials was completed; the first reason: trainer"):
        search_from_configuration(settings(num_trials=2, options=ranges))
    assert (tmp_path / "searches" / "tiny" / "search.html").exists()


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_bad_trials_end_early(pruner: str, settings: Options, tmp_path: Path) -> None:
    rates = {"learning_rate": [1e-2, 1e-9], "validation_steps": 0.5, "pruner": pruner}
    info = search_from_configuration(
        settings({"trainer.epochs": 3}, num_trials=9, options=rates, num_models_to_keep=-1)
    )
    early = [trial for trial in info.study.trials if trial.state == TrialState.PRUNED]
    assert early
    for trial in early:
        assert trial.last_step is not None
        assert trial.last_step < 6
        run = info.directory / f"trial_{trial.number}"
        status = read_status(run)
        assert status["status"] == "stopped"
        assert f"Ended early, after validation {trial.last_step} (val_RMSE" in status["reason"]
        load_system(run / "best_model")
    assert f"{len(early)} early saved" in info.report.read_text(encoding="utf-8")
    # It is a run that was stopped: it can be resumed, and ends as one that was never stopped.
    directory = info.directory / f"trial_{early[0].number}"
    config = load_configuration(directory / "config.yaml", ["trainer.resume=true"])
    resumed = train_from_configuration(config)
    config = load_configuration(directory / "config.yaml", [f"run.output_dir={tmp_path / 'whole'}"])
    config["trainer"]["resume"] = False
    whole = train_from_configuration(config)
    assert whole.best_metrics == resumed.best_metrics
    assert (tmp_path / "whole" / "metrics.csv").read_bytes() == (directory / "metrics.csv").read_bytes()


# Stops and kills.


def run_in_process(run: Callable[[], Any]) -> int:
    """Run a function in a forked process and return the exit code, which is negative after a signal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking while other threads exist, which are idle here
        child = os.fork()
    if child == 0:
        try:
            run()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at_call(owner: Any, name: str, call: int) -> None:
    """Replace a function by one that kills the process at its n-th call."""
    function, calls = getattr(owner, name), 0

    def kill(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    setattr(owner, name, kill)


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """The result of a search that was never killed; empty until a test has run it."""
    return {}


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (search_study.Study, "enqueue_trial", 3),
        (search_trials.ClaimedTrial, "__init__", 2),
        (search_worker, "_train_trial", 3),
        (module.TrainingModule, "training_step", 13),
        (module.TrainingModule, "training_step", 28),
        (search_study.Study, "tell", 2),
        (search_worker, "keep_best_models", 2),
    ],
)
def test_a_search_that_was_killed_is_resumed(
    owner: Any,
    name: str,
    call: int,
    settings: Options,
    whole: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = settings({"trainer.epochs": 2})
    if not whole:
        whole["directory"] = tmp_path / "whole"
        info = search_from_configuration({**options, "directory": str(whole["directory"])})
        whole["values"] = values(info)

    def dying() -> None:
        kill_at_call(owner, name, call)
        keep_state.SHARE_OF_TIME = 1e9
        search_from_configuration(options)

    assert run_in_process(dying) == -signal.SIGKILL
    # Otherwise a process that died before it had written its name counts as alive for a minute.
    monkeypatch.setattr(search_trials, "HEARTBEAT_TIMEOUT", 2.0)
    begun = []
    run = search_worker.train.run

    def counted(config: Any, **kwargs: Any) -> Any:
        begun.append((Path(config.run.output_dir).name, config.trainer.resume))
        return run(config, **kwargs)

    monkeypatch.setattr(search_worker.train, "run", counted)
    resumed = search_from_configuration(options)
    assert values(resumed) == whole["values"]
    assert states(resumed) == [TrialState.COMPLETE] * 4
    names = [name for name, _ in begun]
    assert len(set(names)) == len(names)
    if name == "training_step":
        assert (f"trial_{1 if call == 13 else 2}", True) in begun
    if name == "tell":
        assert names == ["trial_2", "trial_3"]  # the run of trial 1 had finished
    for trial in resumed.study.trials:
        places = (whole["directory"], tmp_path / "searches")
        metrics = [place / "tiny" / f"trial_{trial.number}" / "metrics.csv" for place in places]
        assert metrics[0].read_bytes() == metrics[1].read_bytes()


def test_a_trial_that_keeps_killing_its_process_fails(settings: Options) -> None:
    options = settings(num_trials=2)

    def dying() -> None:
        kill_at_call(module.TrainingModule, "training_step", 1)
        search_from_configuration(options)

    for _ in range(3):
        assert run_in_process(dying) == -signal.SIGKILL
    info = search_from_configuration(options)
    assert states(info) == [TrialState.FAIL, TrialState.COMPLETE]
    assert "its process died 3 times" in info.study.trials[0].user_attrs["reason"]


def test_a_trial_that_advances_may_lose_any_number_of_processes(settings: Options, tmp_path: Path) -> None:
    trials = open_search(Configuration.from_dict(settings(num_trials=1)), tmp_path).trials
    for number, (is_validated, expected) in enumerate([(False, 1), (False, 2), (True, 1), (False, 2), (True, 1)]):
        claimed = trials.claim_next()
        assert claimed is not None
        if is_validated:
            claimed.trial.report(0.5, number)
        claimed.__exit__()
        trials.requeue_dead()
        (trial,) = trials.list_trials()
        assert (trial.state, trial.user_attrs["deaths"]) == (TrialState.WAITING, expected)


def test_a_search_that_was_stopped_is_resumed(
    settings: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search_from_configuration(settings(directory=str(tmp_path / "whole")))
    plain, calls = keep_state.KeepState.on_train_batch_start, 0

    def stop(self: keep_state.KeepState, *args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        plain(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(keep_state.KeepState, "on_train_batch_start", stop)
        with pytest.raises(StoppedError, match="To resume, run the same command with search_name=tiny") as error:
            search_from_configuration(settings())
    assert "its trial keeps its state" in str(error.value)
    assert error.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert values(search_from_configuration(settings())) == values(whole)


# Several workers.


def test_workers_share_a_search(settings: Options, tmp_path: Path) -> None:
    alone = search_from_configuration(settings(directory=str(tmp_path / "alone"), num_trials=6))
    info = search_from_configuration(settings(num_workers=2, num_trials=6, num_models_to_keep=1))
    assert values(info) == values(alone)
    workers = {trial.user_attrs["worker"]["process"] for trial in info.study.trials}
    assert os.getpid() not in workers
    kept = [path.parent.name for path in info.directory.glob("*/best_model")]
    assert kept == [f"trial_{info.best_trial}"]


def test_a_worker_that_is_stopped_before_the_first_batch_keeps_its_trial(
    settings: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    context = open_search(Configuration.from_dict(settings(num_trials=1)), tmp_path)
    write_search_file(context)
    # Without the handler of the worker, this one would let the trial run to its end instead of ending the tests.
    monkeypatch.setattr(search_worker, "_stop_without_parent", lambda: None)
    former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(search_worker.train, "run", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
            for _ in range(3):
                assert search_worker.main(tmp_path) == 143
                (trial,) = context.trials.list_trials()
                assert (trial.state, trial.user_attrs.get("deaths")) == (TrialState.WAITING, None)
    finally:
        signal.signal(signal.SIGTERM, former)
    assert "its trial keeps its state. To resume, run the same command" in capsys.readouterr().err
    assert search_worker.main(tmp_path) == 0
    assert [trial.state for trial in context.trials.list_trials()] == [TrialState.COMPLETE]


def test_workers_that_die_are_noticed(settings: Options, tmp_path: Path) -> None:
    options = settings({"trainer.epochs": 500}, num_workers=1, num_trials=1)
    config = Configuration.from_dict(options)
    directory = tmp_path / "searches" / "tiny"
    directory.mkdir(parents=True)
    trials = open_search(config, directory).trials
    claimed = trials.claim_next()
    assert claimed is not None
    # While its process is alive, no other worker on this machine gets the trial.
    trials.requeue_dead()
    assert trials.claim_next() is None
    assert [trial.state for trial in trials.list_trials()] == [TrialState.RUNNING]
    claimed.__exit__()
    trials.requeue_dead()
    assert [trial.state for trial in trials.list_trials()] == [TrialState.WAITING]


def test_a_worker_on_another_machine_counts_as_dead_without_heartbeats(
    settings: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Configuration.from_dict(settings(num_trials=1))
    there = open_search(config, tmp_path).trials
    (tmp_path / "here").mkdir()
    claimed = there.claim_next()
    assert claimed is not None
    here = search_trials.TrialQueue(there.study, there.storage, tmp_path / "here", 1)
    monkeypatch.setattr(search_trials.socket, "gethostname", lambda: "another")
    now = 1000.0
    monkeypatch.setattr(search_trials.time, "monotonic", lambda: now)
    here.requeue_dead()
    now += search_trials.HEARTBEAT_TIMEOUT / 2
    claimed.send_heartbeat()
    here.requeue_dead()
    now += search_trials.HEARTBEAT_TIMEOUT - 1
    here.requeue_dead()
    assert here.claim_next() is None
    now += 1
    here.requeue_dead()
    other = here.claim_next()
    assert other is not None
    assert not claimed.is_lost
    # The first worker wakes up, and leaves the trial to the other.
    claimed.send_heartbeat()
    assert claimed.is_lost
    claimed.requeue()
    assert [trial.state for trial in here.list_trials()] == [TrialState.RUNNING]
    other.send_heartbeat()
    assert not other.is_lost
    for each in (claimed, other):
        each.__exit__()


def test_a_journal_with_an_incomplete_line_is_read(settings: Options, caplog: pytest.LogCaptureFixture) -> None:
    info = search_from_configuration(settings(num_trials=1))
    journal = info.directory / "study.journal"
    with journal.open("ab") as file:
        file.write(b'{"op_code": 5, "wor')
    more = search_from_configuration(settings(num_trials=2))
    assert "the last line is incomplete and was removed" in caplog.text
    assert len(more.study.trials) == 2


# Studies.


def test_a_former_search_is_resumed_with_other_ranges(settings: Options) -> None:
    info = search_from_configuration(settings(num_trials=2))
    former = values(info)
    interval = {"lower": 1e-2, "upper": 2e-2, "distribution": "loguniform"}
    other = {"learning_rate": interval, "dropout": [0.1, 0.3]}
    with pytest.raises(ConfigError) as error:
        search_from_configuration(settings(num_trials=4, options=other))
    assert "'tiny' is another search" in str(error.value)
    assert "load_study=tiny" in str(error.value)
    assert 'ranges.dropout: "Categorical: choices (0.1, 0.3)"; the search has (nothing)' in str(error.value)
    options = settings(num_trials=4, options=other)
    del options["search_name"]
    for named in (str(info.directory), "tiny"):
        more = search_from_configuration({**options, "load_study": named})
        assert values(more)[:2] == former
        assert all(0.01 <= trial.params["learning_rate"] <= 0.02 for trial in more.study.trials[2:])
        assert states(more) == [TrialState.COMPLETE] * 4
    options["base_config"]["trainer"]["main_metric"] = "PEARSON"
    with pytest.raises(ConfigError, match=r"main_metric.*the search has"):
        search_from_configuration({**options, "load_study": "tiny"})
    options["base_config"]["trainer"]["main_metric"] = "RMSE"
    options["options"]["dropout"] = [0.1, 0.2]
    with pytest.raises(ConfigError, match=r"options.dropout: found .*choices"):
        search_from_configuration({**options, "load_study": "tiny"})
    with pytest.raises(ConfigError, match="found no search at nowhere"):
        search_from_configuration({**options, "load_study": "nowhere"})


def test_a_database_holds_a_search(settings: Options, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'search.db'}"
    info = search_from_configuration(settings(num_trials=2, storage=url))
    former = values(info)
    assert not (info.directory / "study.journal").exists()
    assert len(optuna.load_study(study_name="tiny", storage=url).trials) == 2
    options = settings(num_trials=3, storage=url)
    options |= {"search_name": None, "load_study": "tiny"}
    assert values(search_from_configuration(options))[:2] == former
    with pytest.raises(ConfigError, match="found no search 'other'; the storage has: tiny"):
        search_from_configuration({**options, "load_study": "other"})


@pytest.mark.parametrize(
    ("url", "kind", "expected"),
    [
        ("search.db", ConfigError, "expected the URL of a database"),
        ("sqlite:////nowhere/search.db", ConfigError, "sqlite:////nowhere/search.db cannot be used"),
        ("nosuch://host/name", ConfigError, "nosuch://host/name cannot be used"),
        ("mssql+pymssql://me:secret@host/name", MissingExtraError, "mssql\\+pymssql://\\*\\*\\*@host/name is not"),
    ],
)
def test_storages_that_cannot_be_used(url: str, kind: type[KiwiError], expected: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=expected) as error:
        open_storage(url, tmp_path)
    assert "secret" not in str(error.value)


def test_a_database_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_storage, "OPEN_TIMEOUT", 0.5)
    start = time.monotonic()
    # "S" would mean that the server speaks TLS, and a notice follows that never ends.
    with DrippingServer(b"N", b"N") as server, pytest.raises(ConfigError) as error:
        open_storage(f"postgresql+psycopg://me:secret@127.0.0.1:{server.port}/name", tmp_path)
    assert time.monotonic() - start < 20
    assert "cannot be used: " in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///search.db", set()),
        ("postgresql+psycopg://host/name", {"connect_timeout", "keepalives_idle", "tcp_user_timeout"}),
        ("postgresql://host/name?connect_timeout=3", {"keepalives_idle", "tcp_user_timeout"}),
        ("postgresql+pg8000://host/name", set()),
        ("mysql+pymysql://host/name", {"connect_timeout", "read_timeout", "write_timeout"}),
    ],
)
def test_drivers_give_up_servers_that_are_gone(url: str, expected: set[str]) -> None:
    assert {name for name in search_storage._timeouts(url) if name[-8:] not in ("interval", "es_count")} == expected


def test_a_storage_that_fails_is_named_with_the_next_step() -> None:
    with (
        pytest.raises(KiwiError, match=r"stopped answering: gone. To resume, run"),
        search_storage.explain_storage_errors("To resume, run the same command."),
    ):
        raise StorageInternalError("gone")


def test_passwords_are_in_no_file(settings: Options, tmp_path: Path) -> None:
    options = settings()
    options["base_config"]["run"] = {"mlflow_tracking_uri": "https://token@host/?api_key=secret"}
    config = Configuration.from_dict(options | {"storage": "postgresql://me:secret@host/name", "search_name": "s"})
    nothing: Any = None
    write_search_file(SearchContext(config, tmp_path, "s", nothing, nothing))
    written = (tmp_path / "search.yaml").read_text(encoding="utf-8")
    assert "postgresql://***@host/name" in written
    assert not [each for each in ("secret", "token") if each in written]
    with pytest.raises(ConfigError, match="Give the URL again"):
        open_storage("postgresql://***@host/name", tmp_path)


def test_a_directory_of_another_search_is_left_alone(settings: Options) -> None:
    info = search_from_configuration(settings(num_trials=1))
    (info.directory / "study.journal").unlink()
    model = (info.directory / "trial_0" / "best_model" / "model.safetensors").read_bytes()
    with pytest.raises(ConfigError, match=r"trial_0: found a trial of another search; .* another search_name"):
        search_from_configuration(settings(num_trials=1, seed=7))
    assert (info.directory / "trial_0" / "best_model" / "model.safetensors").read_bytes() == model


# Progress and tracking.


def test_the_table(settings: Options, tmp_path: Path) -> None:
    config = Configuration.from_dict(settings({"trainer.epochs": 1}, num_trials=3))
    context = open_search(config, tmp_path)
    progress = search_progress.Progress(context, is_live=True)
    search_worker.work(context, progress.update)
    console = Console(width=120, record=True)
    console.print(progress.build_table())
    text = console.export_text()
    assert "tiny: 3 of 3 trials" in text
    assert text.count("done") == 3
    assert "learning_rate" in text


def test_a_search_says_how_far_it_is_while_trials_run(
    settings: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = open_search(Configuration.from_dict(settings(num_trials=3)), tmp_path)
    progress = search_progress.Progress(context, is_live=False)
    with caplog.at_level(logging.INFO, logger="kiwi"):
        progress.log_running()
        for value in (0.25, 0.5):
            claimed = context.trials.claim_next()
            assert claimed is not None
            with claimed:
                claimed.trial.report(value, 1)
                progress.log_running()
                context.study.tell(claimed.trial, value)
    first, second, third = (record.getMessage() for record in caplog.records[-3:])
    metric = context.space.metric
    assert first == "0 of 3 trials have ended; running: none"
    assert second == f"0 of 3 trials have ended; running: trial 0 after validation 1 ({metric} 0.2500)"
    assert third.startswith("1 of 3 trials have ended, 0:00:0")
    assert third.endswith(f" left; running: trial 1 after validation 1 ({metric} 0.5000)")


def test_the_report_escapes_text(settings: Options, tmp_path: Path) -> None:
    context = open_search(Configuration.from_dict(settings(num_trials=1)), tmp_path)
    claimed = context.trials.claim_next()
    assert claimed is not None
    with claimed:
        claimed.trial.set_user_attr("reason", "<b>no data</b>")
        context.study.tell(claimed.trial, state=TrialState.FAIL)
    page = write_report(context).read_text(encoding="utf-8")
    assert "<td>&lt;b&gt;no data&lt;/b&gt;</td>" in page
    assert page.count("This figure cannot be drawn from these trials") == 5


def test_only_warnings_of_trials_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    search_filter = search_progress._SearchFilter()
    shown = {
        (name, level): search_filter.filter(logging.LogRecord(name, level, "", 0, "", None, None))
        for name in ("kiwi.lib.search", "kiwi.training.trainer", "lightning")
        for level in (logging.INFO, logging.WARNING)
    }
    assert [pair for pair, is_shown in shown.items() if is_shown] == [
        ("kiwi.lib.search", logging.INFO),
        ("kiwi.lib.search", logging.WARNING),
        ("kiwi.training.trainer", logging.WARNING),
    ]


def test_trials_are_nested_runs_of_mlflow(settings: Options, tmp_path: Path) -> None:
    import mlflow

    uri = str(tmp_path / "mlruns")
    changes = {"run.use_mlflow": True, "run.mlflow_tracking_uri": uri, "run.experiment_name": "searches"}
    info = search_from_configuration(settings(changes, num_trials=2))
    client = mlflow.MlflowClient(f"sqlite:///{uri}/mlflow.db")
    experiment = client.get_experiment_by_name("searches")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    by_name = {run.data.tags["mlflow.runName"]: run for run in runs}
    assert set(by_name) == {"tiny", "tiny, trial 0", "tiny, trial 1"}
    parent = by_name["tiny"]
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["best_RMSE"] == info.best_value
    for number in range(2):
        run = by_name[f"tiny, trial {number}"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
        rate = float(run.data.params["system.optimizer.learning_rate"])
        assert rate == info.study.trials[number].params["learning_rate"]
    # A search that is resumed is still one run.
    search_from_configuration(settings(changes, num_trials=3))
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 4
    parents = {run.data.tags.get("mlflow.parentRunId") for run in runs}
    assert parents == {None, parent.info.run_id}
