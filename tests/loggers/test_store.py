"""What a tracking URI may name, and what is said of one that cannot be opened."""

from __future__ import annotations

import logging
import os
import re
import socket
import sqlite3
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from kiwi.exceptions import ConfigError
from kiwi.loggers import MLFlowTrackingLogger, store
from kiwi.loggers.mlflow_settings import settings
from kiwi.loggers.store import open_store
from tests.dripping import DrippingServer


def test_a_directory_is_a_database(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "with spaces & Größe"
    forms = [f"{directory}", f"{directory}/", f"file:{directory}", f"file://{directory}"]
    # A relative one is under the anchor; a database is opened as it is.
    for form in [*forms, f"{directory.name}/", f"sqlite:///{directory}/mlflow.db"]:
        opened = open_store(form, tmp_path)
        assert opened.uri == f"sqlite:///{directory}/mlflow.db"
        assert not opened.is_remote
    assert {path.name for path in directory.iterdir()} == {"mlflow.db"}
    assert capfd.readouterr() == ("", "")  # no word of migrations


def test_an_old_file_store_is_left_untouched_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kiwi")
    old = tmp_path / "mlruns"
    for name in ("0", "0/0123456789abcdef0123456789abcdef", ".trash"):
        (old / name).mkdir(parents=True)
        if name != ".trash":
            (old / name / "meta.yaml").write_text(f"artifact_location: {old}\n")
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    tracker = MLFlowTrackingLogger("x", tracking_uri=str(old), always_log_artifacts=True)
    tracker.log_file(next(iter(before)))
    tracker.finish("FINISHED")
    assert {path: path.read_bytes() for path in before} == before
    assert [run.info.run_id for run in MlflowClient(tracker.tracking_uri).search_runs([tracker.experiment_id])] == [
        tracker.run_id
    ]
    assert f"{old} holds a file store of an earlier MLflow" in caplog.text
    assert str(old / "mlflow.db") in caplog.text
    caplog.clear()
    open_store(str(old), Path())
    assert caplog.text == ""  # once is enough


def test_a_server_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "START_TIMEOUT", 0.5)
    start = time.monotonic()
    with DrippingServer() as server, pytest.raises(ConfigError) as error:
        open_store(f"http://127.0.0.1:{server.port}", Path())
    assert time.monotonic() - start < 20
    assert "no complete answer within 0.5 s" in str(error.value)
    assert "Is the server running? Without run.use_mlflow" in str(error.value)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ConfigError, match="found a file; expected a directory or a server's URL"):
        open_store(str(file), Path())
    for found in ("?", "%20", "%C3"):
        with pytest.raises(ConfigError, match=re.escape(f"found '{found}'; expected a path without it")):
            open_store(str(tmp_path / f"a{found}b"), Path())
        assert not (tmp_path / f"a{found}b").exists()
    with pytest.raises(ConfigError, match="no MLflow store that answers"):
        open_store("nonsense://x", Path())
    with pytest.raises(
        ConfigError, match="found a password in the URL; expected user and password in the env"
    ) as error:
        open_store("http://me:secret@127.0.0.1:1", Path())
    assert "secret" not in str(error.value)


def test_a_server_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ConfigError) as error:
        open_store(url, Path())
    assert str(error.value).startswith(f"run.mlflow_tracking_uri: {url}: found no MLflow store that answers (")
    assert "Is the server running?" in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_database_of_another_mlflow(tmp_path: Path) -> None:
    uri = open_store(str(tmp_path / "a"), Path()).uri
    # The client keeps what it has opened: change a copy.
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mlflow.db").write_bytes(Path(uri.removeprefix("sqlite:///")).read_bytes())
    with sqlite3.connect(tmp_path / "b" / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0a8213491aaa'")
    database.close()
    with pytest.raises(ConfigError, match="Upgrade its schema with: mlflow db upgrade sqlite:///"):
        open_store(str(tmp_path / "b"), Path())


def test_what_was_deleted_is_not_continued(tmp_path: Path) -> None:
    tracker = MLFlowTrackingLogger("x", tracking_uri=str(tmp_path))
    tracker.finish("FINISHED")
    client = MlflowClient(tracker.tracking_uri)
    client.delete_run(tracker.run_id)
    with pytest.raises(ConfigError, match=r"found run \w+ deleted in MLflow; restore it"):
        MLFlowTrackingLogger("x", tracker.run_id, str(tmp_path))
    client.delete_experiment(tracker.experiment_id)
    with pytest.raises(ConfigError, match="found experiment 'x' deleted in MLflow; restore it"):
        MLFlowTrackingLogger("x", tracking_uri=str(tmp_path))


def test_settings_that_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIWI_A", raising=False)
    monkeypatch.setenv("KIWI_B", "user")
    first, second = settings({"KIWI_A": "1", "KIWI_B": "1"}), settings({"KIWI_A": "1"})
    first.__enter__()
    second.__enter__()
    assert (os.environ["KIWI_A"], os.environ["KIWI_B"]) == ("1", "user")
    first.__exit__(None, None, None)
    assert os.environ["KIWI_A"] == "1"
    second.__exit__(None, None, None)
    assert "KIWI_A" not in os.environ
    assert os.environ["KIWI_B"] == "user"
