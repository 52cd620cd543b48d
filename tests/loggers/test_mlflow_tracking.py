"""Runs in a real MLflow server and in a directory."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from kiwi.exceptions import ConfigError
from kiwi.loggers import MLFlowTrackingLogger, download_run, mlflow_tracking, outbox
from kiwi.loggers.entries import sanitize_name
from tests.mlflow_server import MLflowServer


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that is a store; one for all tests, because a database takes seconds to make."""
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture(params=["directory", "server"])
def uri(request: pytest.FixtureRequest, directory: Path) -> str:
    """Of both kinds of stores."""
    if request.param == "directory":
        return str(directory)
    url: str = request.getfixturevalue("mlflow_server").url
    return url


@pytest.fixture
def name() -> str:
    """Of an experiment that no other test has."""
    return f"experiment {uuid.uuid4().hex[:8]}"


def run_of(tracker: MLFlowTrackingLogger) -> Run:
    return MlflowClient(tracker.tracking_uri).get_run(tracker.mlflow_run_id)


def history(tracker: MLFlowTrackingLogger, metric: str) -> list[tuple[int, float]]:
    client = MlflowClient(tracker.tracking_uri)
    return [(each.step, each.value) for each in client.get_metric_history(tracker.mlflow_run_id, metric)]


def files_of(tracker: MLFlowTrackingLogger, path: str = "") -> set[str]:
    client = MlflowClient(tracker.tracking_uri)
    found = client.list_artifacts(tracker.mlflow_run_id, path)
    inner = [files_of(tracker, each.path) for each in found if each.is_dir]
    return {each.path for each in found if not each.is_dir}.union(*inner)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_everything_of_a_run(uri: str, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    tracker = MLFlowTrackingLogger(name, tracking_uri=uri)
    assert run_of(tracker).info.status == "RUNNING"
    tracker.log_params({"run": {"seed": 1, "name": "x"}, "list": [1, "a"], "none": None, "empty": {}})
    tracker.log_metrics({"val_A+B": 0.5, "train_loss": 2.0}, 9)
    tracker.log_metrics({"val_A+B": 0.25}, 19)
    tracker.set_tags({"kind": "test"})
    tracker.describe("A **test**")
    tracker.finish("FINISHED")
    run = run_of(tracker)
    assert MlflowClient(tracker.tracking_uri).get_experiment(tracker.experiment_id).name == name
    assert (run.info.run_id, run.info.experiment_id) == (tracker.run_id, tracker.experiment_id)
    assert run.info.status == "FINISHED"
    assert run.info.end_time is not None
    assert run.data.params == {"run.seed": "1", "run.name": "x", "list": '[1, "a"]', "none": "null", "empty": "{}"}
    assert history(tracker, "val_A_B") == [(9, 0.5), (19, 0.25)]
    assert history(tracker, "train_loss") == [(9, 2.0)]
    assert run.data.tags["kind"] == "test"
    assert run.data.tags["mlflow.note.content"] == "A **test**"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_statuses(directory: Path, name: str, status: Any) -> None:
    tracker = MLFlowTrackingLogger(name, tracking_uri=str(directory))
    tracker.finish(status)
    tracker.finish("FAILED")  # a second one says nothing
    assert run_of(tracker).info.status == status


def test_a_run_goes_on_by_its_id(uri: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kiwi")
    first = MLFlowTrackingLogger(name, tracking_uri=uri)
    first.log_params({"epochs": 1, "seed": 2})
    for step in (9, 19):
        first.log_metrics({"loss": 1.0}, step)
    first.log_metrics({"val": 0.5}, 9)
    first.log_metrics({"val": 0.5}, 29)  # what was between was never sent
    first.set_tags({"kiwi.reason": "why"})
    first.finish("KILLED")
    second = MLFlowTrackingLogger("another name", first.run_id, uri)
    wait_for(lambda: run_of(second).info.status == "RUNNING")
    assert (second.run_id, second.experiment_id) == (first.run_id, first.experiment_id)
    second.log_params({"epochs": 3, "seed": 2, "new": 4})
    for step in (9, 19, 29):
        second.log_metrics({"loss": 2.0, "val": 0.25}, step)
    second.finish("FINISHED")
    run = run_of(second)
    assert run.info.status == "FINISHED"
    assert history(second, "loss") == [(9, 1.0), (19, 1.0), (29, 2.0)]
    assert sorted(history(second, "val")) == [(9, 0.5), (19, 0.25), (29, 0.5)]
    assert "kiwi.reason" not in run.data.tags
    assert run.data.params == {"epochs": "1", "seed": "2", "new": "4"}
    assert {name: value for name, value in run.data.tags.items() if "changed" in name} == {"changed.epochs": "3"}
    assert "MLflow keeps the first values of epochs" in caplog.text


@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_that_was_not_started_stays_as_it_is(directory: Path, name: str, is_new: bool) -> None:
    run_id = uuid.uuid4().hex
    if not is_new:
        MLFlowTrackingLogger(name, run_id, str(directory)).finish("KILLED")
    tracker = MLFlowTrackingLogger(name, run_id, str(directory), start=False)
    tracker.finish("FAILED")
    client = MlflowClient(tracker.tracking_uri)
    if is_new:
        assert client.get_experiment_by_name(name) is None
    else:
        assert run_of(tracker).info.status == "KILLED"


def test_a_run_is_found_by_an_id_of_the_users_own(uri: str, name: str) -> None:
    run_id = uuid.uuid4().hex
    first = MLFlowTrackingLogger(name, run_id, uri)
    first.finish("KILLED")
    assert first.run_id == run_id
    assert run_of(first).data.tags["kiwi.run_id"] == run_id
    second = MLFlowTrackingLogger(name, run_id, uri)
    second.finish("FINISHED")
    assert second.mlflow_run_id == first.mlflow_run_id
    assert run_of(first).info.status == "FINISHED"


def test_runs_of_one_process_do_not_disturb_each_other(directory: Path, name: str) -> None:
    trackers = [MLFlowTrackingLogger(name, tracking_uri=str(directory)) for _ in range(2)]
    for number, tracker in enumerate(trackers):
        tracker.log_metrics({"loss": number}, 0)
    for tracker in trackers:
        tracker.finish("FINISHED")
    assert [history(tracker, "loss") for tracker in trackers] == [[(0, 0.0)], [(0, 1.0)]]


def test_values_that_mlflow_does_not_take_are_cut(directory: Path, name: str, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "kiwi")
    tracker = MLFlowTrackingLogger(name, tracking_uri=str(directory))
    tracker.log_params({"long": "x" * 7000})
    tracker.log_metrics({"nan": float("nan"), "infinite": float("inf"), "fine": 1.0}, 0)
    tracker.finish("FINISHED")
    assert run_of(tracker).data.params == {"long": "x" * 6000}
    assert set(run_of(tracker).data.metrics) == {"nan", "infinite", "fine"}
    assert "'long' has 7000 characters; MLflow gets the first 6000." in caplog.text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("val_WMT19_MCC+PEARSON", "val_WMT19_MCC_PEARSON"),
        ("a/b-c.d:e f", "a/b-c.d:e f"),
        ("größe", "gr__e"),
        ("x" * 300, "x" * 250),
    ],
)
def test_names(given: str, expected: str) -> None:
    assert sanitize_name(given) == expected


# Files.


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A directory with files."""
    made = tmp_path / "made"
    (made / "model" / "inner").mkdir(parents=True)
    (made / "config.yaml").write_text("a: 1\n")
    (made / "model" / "weights").write_bytes(bytes(range(256)) * 1000)
    (made / "model" / "inner" / "vocab").write_text("x\n")
    return made


def log_files(tracker: MLFlowTrackingLogger, made: Path) -> None:
    tracker.log_file(made / "config.yaml")
    tracker.log_file(made / "config.yaml", "again/here")
    tracker.log_file(made / "model")
    tracker.finish("FINISHED")


@pytest.mark.parametrize(("always", "n_files"), [(False, 0), (True, 4)])
def test_a_directory_gets_files_only_when_it_is_to(
    directory: Path, name: str, made: Path, always: bool, n_files: int
) -> None:
    tracker = MLFlowTrackingLogger(name, tracking_uri=str(directory), always_log_artifacts=always)
    assert not tracker.is_remote
    log_files(tracker, made)
    assert len(files_of(tracker)) == n_files
    stored = [path for path in (directory / "artifacts" / tracker.run_id).rglob("*") if path.is_file()]
    assert len(stored) == n_files


def test_a_server_gets_files_and_gives_them_back(
    mlflow_server: MLflowServer, name: str, tmp_path: Path, made: Path
) -> None:
    tracker = MLFlowTrackingLogger(name, tracking_uri=mlflow_server.url)
    assert tracker.is_remote
    log_files(tracker, made)
    names = {"config.yaml", "again/here/config.yaml", "model/weights", "model/inner/vocab"}
    assert files_of(tracker) == names
    destination = tmp_path / "fetched"
    tracker.download(destination)
    fetched = {file.relative_to(destination).as_posix(): file for file in destination.rglob("*") if file.is_file()}
    assert set(fetched) == names
    assert fetched["model/weights"].read_bytes() == (made / "model" / "weights").read_bytes()
    with pytest.raises(ConfigError, match="found files; expected no directory, or an empty one"):
        tracker.download(destination)


def test_a_download_is_whole_or_not_at_all(mlflow_server: MLflowServer, name: str, tmp_path: Path, made: Path) -> None:
    tracker = MLFlowTrackingLogger(name, tracking_uri=mlflow_server.url)
    log_files(tracker, made)
    stored = next(mlflow_server.directory.rglob(f"{tracker.mlflow_run_id}/artifacts/model/weights"))
    stored.unlink()
    stored.mkdir()  # listed as a directory without files
    (stored / "x").symlink_to("nowhere")
    with pytest.raises(ConfigError, match="cannot be downloaded"):
        tracker.download(tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()
    assert not list(tmp_path.glob(".fetched*"))


def test_the_files_of_a_former_run(uri: str, name: str, tmp_path: Path, made: Path) -> None:
    run_id = uuid.uuid4().hex
    tracker = MLFlowTrackingLogger(name, run_id, uri, always_log_artifacts=True)
    log_files(tracker, made)
    for asked in (run_id, tracker.mlflow_run_id):
        fetched = download_run(asked, tmp_path / "runs", name, uri)
        assert fetched == tmp_path / "runs" / tracker.experiment_id / asked
        assert (fetched / "config.yaml").read_text() == "a: 1\n"
    assert run_of(tracker).info.status == "FINISHED"  # it is left as it was
    for wrong in (("0" * 32, name), (run_id, "another")):
        with pytest.raises(ConfigError, match="found no run"):
            download_run(wrong[0], tmp_path / "runs", wrong[1], uri)


def test_nothing_to_download(directory: Path, name: str, tmp_path: Path) -> None:
    tracker = MLFlowTrackingLogger(name, tracking_uri=str(directory))
    tracker.finish("FINISHED")
    with pytest.raises(ConfigError, match="has no files; a directory is sent files only"):
        tracker.download(tmp_path / "fetched")


def test_a_file_that_has_gone_is_named(
    directory: Path, name: str, made: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = MLFlowTrackingLogger(name, tracking_uri=str(directory), always_log_artifacts=True)
    tracker.log_file(made / "gone")
    tracker.log_file(made / "config.yaml")
    tracker.finish("FINISHED")
    assert files_of(tracker) == {"config.yaml"}
    assert run_of(tracker).info.status == "FINISHED"
    assert "1 files (gone)" in caplog.text


# The server goes away.


def test_nothing_is_lost_when_the_server_is_killed_and_started_again(
    mlflow_server: MLflowServer, name: str, made: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "kiwi")
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 1.0)
    tracker = MLFlowTrackingLogger(name, tracking_uri=mlflow_server.url)
    tracker.log_metrics({"loss": 0.0}, 0)
    mlflow_server.kill()
    for step in range(1, 1500):
        tracker.log_metrics({"loss": float(step)}, step)
    tracker.set_tags({"late": "yes"})
    tracker.log_file(made / "config.yaml")
    mlflow_server.start()
    tracker.finish("FINISHED")
    assert history(tracker, "loss") == [(step, float(step)) for step in range(1500)]
    assert run_of(tracker).data.tags["late"] == "yes"
    assert run_of(tracker).info.status == "FINISHED"
    assert files_of(tracker) == {"config.yaml"}
    assert "The run continues" in caplog.text
    assert "Never sent" not in caplog.text


def test_nobody_waits_for_a_server_that_does_not_answer(mlflow_server: MLflowServer, name: str, made: Path) -> None:
    tracker = MLFlowTrackingLogger(name, tracking_uri=mlflow_server.url)
    mlflow_server.freeze()
    try:
        start = time.monotonic()
        for step in range(1000):
            tracker.log_metrics({"loss": float(step)}, step)
            tracker.set_tags({"step": step})
            tracker.log_file(made / "config.yaml")
        # One request alone would take ten seconds.
        assert time.monotonic() - start < 5
    finally:
        mlflow_server.thaw()
    tracker.finish("FINISHED")
    assert history(tracker, "loss") == [(step, float(step)) for step in range(1000)]
    assert run_of(tracker).data.tags["step"] == "999"


def test_what_was_never_sent_is_said_at_the_end(
    mlflow_server: MLflowServer, name: str, made: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(mlflow_tracking, "CLOSE_TIMEOUT", 0.5)
    tracker = MLFlowTrackingLogger(name, tracking_uri=mlflow_server.url)
    mlflow_server.kill()
    tracker.log_metrics({"a": 1.0, "b": 2.0}, 0)
    tracker.log_file(made / "config.yaml")
    tracker.log_file(made / "model")
    tracker.finish("FINISHED")
    message = caplog.records[-1].message
    assert message.startswith(f"Never sent to MLflow ({mlflow_server.url}): ")
    assert "3 files (config.yaml, model/inner/vocab, model/weights)" in message
    assert "2 metrics" in message
    assert "the status of the run" in message
    assert message.endswith("Everything is in the directory of the run.")


def test_the_environment_is_left_as_it_was(directory: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    before = dict(os.environ)
    tracker = MLFlowTrackingLogger(name, tracking_uri=str(directory))
    tracker.log_metrics({"a": 1.0}, 0)
    tracker.finish("FINISHED")
    assert dict(os.environ) == before


# MLflow is not there.


def test_mlflow_is_not_installed() -> None:
    program = (
        "import sys\n"
        "sys.modules['mlflow'] = None\n"
        "from kiwi.loggers import MLFlowTrackingLogger\n"
        "MLFlowTrackingLogger('x')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert "run.use_mlflow needs 'mlflow', which is not installed" in done.stderr
    assert "pip install '.[mlflow]'" in done.stderr


def test_a_directory_needs_a_database() -> None:
    program = (
        "import sys\n"
        "import mlflow.tracking\n"
        "sys.modules['sqlalchemy'] = None\n"
        "from kiwi.loggers import MLFlowTrackingLogger\n"
        "MLFlowTrackingLogger('x')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert "needs 'sqlalchemy', which is not installed" in done.stderr
    assert "pip install '.[mlflow]'" in done.stderr
