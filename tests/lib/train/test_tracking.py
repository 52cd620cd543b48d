"""Training runs that are tracked."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from kiwi.exceptions import ConfigError, KiwiError, MissingExtraError, StoppedError
from kiwi.lib.train import RunConfig, setup_run, train_from_configuration
from kiwi.loggers import MLFlowTrackingLogger, tracked
from kiwi.runner import load_system
from kiwi.systems.qe_system import QESystem
from kiwi.training import run_record
from kiwi.training.keep_state import KeepState
from kiwi.training.run_record import read_status
from tests.mlflow_server import MLflowServer

Options = Callable[..., dict[str, Any]]

TINY = {
    "system.model.outputs": {"sentence_level": {"hter": True}},
    "trainer.epochs": 2,
    "trainer.log_interval": 2,
    "trainer.main_metric": ["PEARSON", "SPEARMAN"],
    "run.use_mlflow": True,
    "run.experiment_name": "tiny",
}

FILES = {"config.yaml", "learning_curve.svg", "metrics.csv", "output.log", "run.json", "best_model"}


def runs_of(uri: str, experiment: str = "tiny") -> list[Run]:
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id]))


def logged(uri: str, run: Run, metric: str) -> dict[int, float]:
    history = MlflowClient(uri).get_metric_history(run.info.run_id, metric)
    found = {each.step: each.value for each in history}
    assert len(found) == len(history)
    return found


def column(output_dir: Path, name: str) -> dict[int, float]:
    with (output_dir / "metrics.csv").open(encoding="utf-8") as file:
        return {int(row["step"]): float(row[name]) for row in csv.DictReader(file) if row[name]}


@pytest.fixture(scope="module")
def mlruns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that is a store, shared by tests that do not need their own."""
    return tmp_path_factory.mktemp("mlruns")


def test_a_run_in_the_default_directory(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train_from_configuration(options({**TINY, "run.output_dir": None}))
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    (run,) = runs_of(uri)
    output_dir = tmp_path / "runs" / run.info.experiment_id / run.info.run_id
    assert {path.name for path in output_dir.iterdir()} >= FILES
    assert run.info.status == "FINISHED"
    assert run.data.params["trainer.epochs"] == "2"
    assert run.data.params["system.class_name"] == "NuQE"
    written = yaml.safe_load((output_dir / "config.yaml").read_text())
    assert run.data.params["data.train.input.source"] == written["data"]["train"]["input"]["source"]
    assert run.data.tags["mlflow.note.content"].startswith("NuQE, ")
    assert (run.data.tags["kiwi.score_kind"], run.data.tags["kiwi.higher_is_better"]) == ("hter", "False")
    for name in ("val_PEARSON+SPEARMAN", "val_loss", "train_loss"):
        assert len(column(output_dir, name)) >= 2
        assert logged(uri, run, name.replace("+", "_")) == pytest.approx(column(output_dir, name))
    assert not MlflowClient(uri).list_artifacts(run.info.run_id)


def test_a_run_on_a_server(options: Options, tmp_path: Path, mlflow_server: MLflowServer, corpus: Any) -> None:
    changes = {"run.mlflow_tracking_uri": mlflow_server.url, "run.run_id": "ab" * 16}
    train_from_configuration(options({**TINY, **changes}))
    (run,) = runs_of(mlflow_server.url)
    assert run.info.status == "FINISHED"
    assert {file.path for file in MlflowClient(mlflow_server.url).list_artifacts(run.info.run_id)} == FILES
    tracker = MLFlowTrackingLogger("tiny", "ab" * 16, mlflow_server.url)
    tracker.download(tmp_path / "fetched")
    tracker.finish("FINISHED")
    data = {name: corpus.lines("valid", name) for name in ("source", "target", "alignments")}
    mine, theirs = (load_system(tmp_path / place / "best_model").predict(**data) for place in ("run", "fetched"))
    assert mine.sentences_hter == theirs.sentences_hter
    with pytest.raises(ConfigError, match="not a metric of the configured outputs"):
        train_from_configuration(options({**TINY, **changes, "trainer.main_metric": "x"}))
    assert len(runs_of(mlflow_server.url)) == 1  # found before anything is tracked


def test_a_run_that_fails(options: Options, mlruns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = QESystem.losses
    calls = []

    def diverging(self: QESystem, batch: Any) -> Any:
        calls.append(1)
        found = losses(self, batch)
        return found if len(calls) < 8 else {**found, "loss": found["loss"] * float("nan")}

    monkeypatch.setattr(QESystem, "losses", diverging)
    with pytest.raises(KiwiError, match="Training has diverged"):
        train_from_configuration(options({**TINY, "run.mlflow_tracking_uri": str(mlruns)}))
    (run,) = runs_of(f"sqlite:///{mlruns}/mlflow.db")
    assert run.info.status == "FAILED"
    assert run.data.tags["kiwi.reason"].startswith("KiwiError: Training has diverged")
    # What there was before is there.
    assert {path.name for path in (tmp_path / "run").iterdir()} >= FILES


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
        (StoppedError("by a signal", signal_number=15), "KILLED"),
        (ValueError("why"), "FAILED"),
    ],
)
def test_how_a_run_ends(mlruns: Path, tmp_path: Path, error: BaseException, status: str) -> None:
    tracker = MLFlowTrackingLogger("ends", tracking_uri=str(mlruns), always_log_artifacts=True)
    (tmp_path / "output.log").write_text("a line\n")
    with pytest.raises(type(error)), tracked(tracker, tmp_path):
        raise error
    client = MlflowClient(tracker.tracking_uri)
    run = client.get_run(tracker.run_id)
    assert run.info.status == status
    assert run.data.tags["kiwi.reason"] == f"{type(error).__name__}: {error}"
    assert [file.path for file in client.list_artifacts(tracker.run_id)] == ["output.log"]


def test_a_directory_that_cannot_be_made(mlruns: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    config = RunConfig(
        use_mlflow=True,
        mlflow_tracking_uri=str(mlruns),
        experiment_name="nowhere",
        output_dir=tmp_path / "file" / "run",
    )
    with pytest.raises(ConfigError, match="cannot be written to"):
        setup_run(config)
    assert MlflowClient(f"sqlite:///{mlruns}/mlflow.db").get_experiment_by_name("nowhere") is None


def test_nothing_is_tracked_without_a_tracker(tmp_path: Path) -> None:
    with tracked(None, tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_tensorboard(options: Options, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_from_configuration(options({**TINY, "run.use_mlflow": False, "run.use_tensorboard": True}))
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    for name in ("val_PEARSON", "train_loss"):
        found = {event.step: event.value for event in events.Scalars(name)}
        assert found == pytest.approx(column(tmp_path / "run", name))


@pytest.mark.parametrize(
    ("option", "library", "extra"),
    [("use_mlflow", "mlflow", "mlflow"), ("use_tensorboard", "tensorboard", "tensorboard")],
)
def test_what_is_not_installed(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, library: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    changes = {**TINY, "run.use_mlflow": False, f"run.{option}": True}
    with pytest.raises(MissingExtraError) as error:
        train_from_configuration(options(changes))
    assert f"run.{option} needs '{library}'" in str(error.value)
    assert f"pip install '.[{extra}]'" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_other_processes_of_a_run_track_nothing(mlruns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig(use_mlflow=True, mlflow_tracking_uri=str(mlruns))
    output_dir, tracker = setup_run(config, anchor_dir=tmp_path)
    assert tracker is not None
    tracker.finish("FINISHED")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("KIWI_RUN_ID", output_dir.name)
    assert setup_run(config, anchor_dir=tmp_path) == (output_dir, None)
    # The first one of a later run in the same process draws an id of its own.
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert setup_run(RunConfig(), anchor_dir=tmp_path)[0] != output_dir


def train_one_epoch(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until SIGTERM stops the run in its second epoch."""
    plain = KeepState.on_train_batch_start

    def stop(self: KeepState, trainer: Any, *args: Any) -> None:
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        plain(self, trainer, *args)

    with monkeypatch.context() as patched:
        patched.setattr(KeepState, "on_train_batch_start", stop)
        with pytest.raises(StoppedError):
            train_from_configuration(settings)


@pytest.fixture
def tracked_run(options: Options, mlruns: Path, tmp_path: Path) -> dict[str, Any]:
    """The options of a run with an experiment and a file of data of its own."""
    run_id = uuid.uuid4().hex
    settings = options(
        {
            **TINY,
            "run.mlflow_tracking_uri": str(mlruns),
            "run.mlflow_always_log_artifacts": True,
            "run.experiment_name": run_id,
            "run.run_id": run_id,
        }
    )
    inputs = settings["data"]["train"]["input"]
    inputs["source"] = shutil.copy(inputs["source"], tmp_path / "source")
    return settings


def snapshot(uri: str, experiment: str) -> list[Any]:
    """Return all that MLflow has of the only run of an experiment."""
    (run,) = runs_of(uri, experiment)
    client = MlflowClient(uri)
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    return [run.info.status, run.info.end_time, run.data.params, run.data.tags, run.data.metrics, files]


@pytest.mark.parametrize("reason", ["it has finished", "another process trains", "configuration", "data"])
def test_a_run_that_is_not_resumed_stays_as_it_is_in_mlflow(
    tracked_run: dict[str, Any], mlruns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    uri, experiment = f"sqlite:///{mlruns}/mlflow.db", tracked_run["run"]["run_id"]
    if reason == "it has finished":
        train_from_configuration(tracked_run)
    else:
        train_one_epoch(tracked_run, monkeypatch)
    before = snapshot(uri, experiment)
    tracked_run["trainer"]["resume"] = True
    if reason == "configuration":
        tracked_run["trainer"]["epochs"] += 1
    if reason == "data":
        source = tmp_path / "source"
        source.write_text(source.read_text().replace("e", "a"))
    lock = FileLock(tmp_path / "run" / ".lock") if reason == "another process trains" else nullcontext()
    with lock, pytest.raises(ConfigError, match=r"has finished|is training|differs|has changed"):
        train_from_configuration(tracked_run)
    assert snapshot(uri, experiment) == before


def test_a_new_run_that_is_refused_is_not_tracked(
    tracked_run: dict[str, Any], mlruns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, experiment = f"sqlite:///{mlruns}/mlflow.db", tracked_run["run"]["run_id"]
    train_one_epoch(tracked_run, monkeypatch)
    tracked_run["run"]["run_id"] = None
    with pytest.raises(ConfigError, match="has the state of a run that has not finished"):
        train_from_configuration(tracked_run)
    assert len(runs_of(uri, experiment)) == 1


def test_a_new_run_in_a_directory_that_cannot_be_written_to_is_not_tracked(
    tracked_run: dict[str, Any], mlruns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_record, "write_configuration", fail)
    with pytest.raises(KiwiError, match="cannot be written: No space left on device"):
        train_from_configuration(tracked_run)
    client = MlflowClient(f"sqlite:///{mlruns}/mlflow.db")
    assert client.get_experiment_by_name(tracked_run["run"]["experiment_name"]) is None


def test_a_new_run_that_mlflow_refuses_leaves_the_record_of_a_former_run(
    tracked_run: dict[str, Any], mlruns: Path, tmp_path: Path
) -> None:
    client = MlflowClient(f"sqlite:///{mlruns}/mlflow.db")
    experiment = client.create_experiment(tracked_run["run"]["experiment_name"], (mlruns / "artifacts").as_uri())
    client.delete_experiment(experiment)
    with pytest.raises(ConfigError, match="deleted in MLflow"):
        train_from_configuration(tracked_run)
    assert read_status(tmp_path / "run")["status"] == "failed"
    client.restore_experiment(experiment)
    train_from_configuration(tracked_run)  # the directory is that of a run, which may be started again
    client.delete_experiment(experiment)
    before = [(tmp_path / "run" / name).read_bytes() for name in ("config.yaml", "run.json")]
    tracked_run["run"]["run_id"] = None
    tracked_run["trainer"]["epochs"] = 1
    with pytest.raises(ConfigError, match="deleted in MLflow"):
        train_from_configuration(tracked_run)
    assert [(tmp_path / "run" / name).read_bytes() for name in ("config.yaml", "run.json")] == before


def test_a_resumed_run_sends_the_metrics_that_mlflow_never_received(
    tracked_run: dict[str, Any], mlruns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, experiment = f"sqlite:///{mlruns}/mlflow.db", tracked_run["run"]["run_id"]
    send = MLFlowTrackingLogger._send_to_client

    def lose_metrics(self: MLFlowTrackingLogger, kind: str, entries: Any) -> None:
        if kind != "metrics":
            send(self, kind, entries)

    with monkeypatch.context() as patched:
        patched.setattr(MLFlowTrackingLogger, "_send_to_client", lose_metrics)
        train_one_epoch(tracked_run, monkeypatch)
    (run,) = runs_of(uri, experiment)
    assert not run.data.metrics
    assert run.data.tags["kiwi.reason"].startswith("StoppedError: Stopped by SIGTERM")
    tracked_run["trainer"]["resume"] = True
    train_from_configuration(tracked_run)
    (run,) = runs_of(uri, experiment)
    for name in ("val_loss", "train_loss"):
        assert logged(uri, run, name) == pytest.approx(column(tmp_path / "run", name))
    assert run.info.status == "FINISHED"
    assert "kiwi.reason" not in run.data.tags


@pytest.mark.parametrize("own_place", [True, False])
def test_a_run_resumes_from_the_server(
    options: Options, tmp_path: Path, mlflow_server: MLflowServer, monkeypatch: pytest.MonkeyPatch, own_place: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    run_id = ("cd" if own_place else "ef") * 16
    place = {"run.output_dir": str(tmp_path / "run") if own_place else None}
    changes = {"run.mlflow_tracking_uri": mlflow_server.url, "run.run_id": run_id, "run.experiment_name": run_id}
    settings = options({**TINY, **changes, **place})
    train_one_epoch(settings, monkeypatch)
    (run,) = runs_of(mlflow_server.url, run_id)
    assert run.info.status == "KILLED"
    gone = tmp_path / "run" if own_place else tmp_path / "runs"
    shutil.rmtree(gone)
    settings["trainer"]["resume"] = True
    info = train_from_configuration(settings)
    (run,) = runs_of(mlflow_server.url, run_id)
    assert run.info.status == "FINISHED"
    assert info.best_model_path is not None
    assert info.best_model_path.is_relative_to(gone)
    assert (info.best_model_path.parents[1] / "best_model").is_symlink()
    whole = train_from_configuration(options({**TINY, "run.use_mlflow": False, "run.output_dir": str(tmp_path / "w")}))
    assert whole.best_metrics == info.best_metrics
    assert logged(mlflow_server.url, run, "val_loss") == column(tmp_path / "w", "val_loss")
    with pytest.raises(ConfigError, match="has finished"):
        train_from_configuration(settings)
