"""Shards on Ray: two workers on this machine stand for a cluster."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import ray
import yaml

import kiwi
from kiwi.exceptions import ConfigError, DataError, StoppedError
from kiwi.lib.bulk import bulk_from_configuration, bulk_from_file
from kiwi.lib.bulk.config import BulkConfig
from kiwi.lib.bulk.ray_pool import check_listening, open_pool
from kiwi.runner import load_system

Options = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Ray of two CPUs that runs already; its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    former = signal.getsignal(signal.SIGTERM)
    context = ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=100 * 1024 * 1024,
        runtime_env={"env_vars": {"PYTHONPATH": str(Path(kiwi.__file__).parent.parent)}},
    )
    signal.signal(signal.SIGTERM, former)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture
def options(trained: Any, tmp_path: Path, change: Any) -> Options:
    base = {
        "engine": "ray",
        "system": {"load": str(trained.path)},
        "bulk": {
            "input": str(tmp_path / "in"),
            "output": str(tmp_path / "out"),
            "workers": 2,
            "on_bad_segment": "skip",
        },
    }
    (tmp_path / "in").mkdir()
    return lambda changes=None: change(base, changes or {})


FIELDS = ("source", "target", "alignments")


def segments(corpus: Any, count: int) -> list[dict[str, Any]]:
    rows = list(zip(*[corpus.lines("train", field) for field in FIELDS], strict=True))
    return [{"id": n, **dict(zip(FIELDS, rows[n % len(rows)], strict=True))} for n in range(count)]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def at_work_on(output: Path, shard: str) -> list[int]:
    """The workers that are writing a shard.

    Only their files are looked at, since those of all processes are many, and the driver of Ray runs beside this.
    """
    found: list[int] = []
    if not any(output.glob(f".{shard}.*")):
        return found
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process may be gone in the meantime
            if not (process / "cmdline").read_bytes().startswith(b"ray::"):
                continue
            for link in (process / "fd").iterdir():
                with suppress(OSError):  # or the file
                    if str(link.readlink()).startswith(f"{output}/.{shard}."):
                        found.append(int(process.name))
    return found


@contextmanager
def killing(output: Path, shard: str, times: int) -> Iterator[list[int]]:
    """Kill whoever is writing a shard, so many times."""
    killed: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while len(killed) < times and not ended.is_set():
            for pid in set(at_work_on(output, shard)) - set(killed):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def test_shards_and_another_start(
    cluster: str, options: Options, trained: Any, corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = segments(corpus, 30)
    write_jsonl(tmp_path / "in" / "a.jsonl", rows)
    lines = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows), "bad"]
    (tmp_path / "in" / "b.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "in" / "c.tsv").write_text("source\n")
    with pytest.raises(DataError) as error, caplog.at_level(logging.INFO, logger="kiwi"):
        bulk_from_configuration(options())
    assert "1 of 3 shards have no results; the others are complete." in str(error.value)
    assert f"c: {tmp_path}/in/c.tsv, line 1: found no column 'target'" in str(error.value)
    assert "1 of 61 rows are bad and left out; they are in" in caplog.text
    expected = load_system(trained.path, threads=1).predict(*[[row[field] for row in rows] for field in FIELDS])
    for name in "ab":
        found = read_jsonl(tmp_path / "out" / f"{name}.jsonl")
        assert [{key: str(row[key]) for key in rows[0]} for row in found] == [
            {key: str(cell) for key, cell in row.items()} for row in rows
        ]
        assert [row["sentence_scores"] for row in found] == pytest.approx(expected.sentences_hter, abs=2e-6)
        assert [row["target_tags_labels"] for row in found] == expected.target_tags_labels
    assert read_jsonl(tmp_path / "out" / "_rejects" / "b.jsonl")[0]["line"] == 32
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json*")}
    (tmp_path / "in" / "c.tsv").unlink()
    (tmp_path / "bulk.yaml").write_text(yaml.safe_dump(options()))
    info = bulk_from_file(tmp_path / "bulk.yaml")
    assert (info.shards, info.skipped, info.done, info.segments) == (2, 2, 0, 0)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json*")} == before


def test_workers_that_die(
    cluster: str, options: Options, corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One is killed once and its shard done again; another shard kills each of its workers, and is given up."""
    rows = segments(corpus, 800)
    for number in range(4):
        write_jsonl(tmp_path / "in" / f"{number}.jsonl", rows[number * 200 : (number + 1) * 200])
    # Row after row is slow enough to be met at work.
    changes = {"bulk.rows_at_once": 1, "bulk.attempts": 2, "bulk.output_format": "parquet"}
    output = tmp_path / "out"
    with (
        killing(output, "1.parquet", 1) as once,
        killing(output, "2.parquet", 99) as always,
        pytest.raises(DataError) as error,
        caplog.at_level(logging.INFO, logger="kiwi"),
    ):
        bulk_from_configuration(options(changes))
    assert (len(once), len(always)) == (1, 2)
    assert "1 of 4 shards have no results" in str(error.value)
    assert "2: 2 workers died while they predicted it" in str(error.value)
    assert "1: 1 worker(s) died while they predicted it; it is done now." in caplog.text
    info = bulk_from_configuration(options(changes))
    assert (info.skipped, info.done, info.segments) == (3, 1, 200)
    ids = Counter(number for path in output.glob("*.parquet") for number in pq.read_table(path)["id"].to_pylist())
    assert ids == Counter(range(800))
    assert {path.name for path in output.iterdir()} == {"_job.json", *(f"{n}.parquet" for n in range(4))}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"bulk.gpus_per_worker": 1},
            "found 2, of 1 CPUs and 1 GPUs each; the cluster has 2 CPUs, 0 GPUs on 1 machine",
        ),
        ({"bulk.workers": 3}, "found 3, of 1 CPUs each; the cluster has 2 CPUs, 0 GPUs on 1 machine(s), room for 2"),
        ({"bulk.address": "auto"}, "bulk.address: given, but this program has already started Ray"),
        ({"bulk.cpus_per_worker": 1.5}, "room for 1. Lower bulk.workers"),
    ],
)
def test_what_the_cluster_does_not_have(
    cluster: str, options: Options, corpus: Any, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    write_jsonl(tmp_path / "in" / "a.jsonl", segments(corpus, 1))
    with pytest.raises(ConfigError) as error:
        bulk_from_configuration(options(changes))
    assert message in str(error.value)


def kiwi_predict(config: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(kiwi.__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "kiwi", "predict", str(config), *arguments]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, text=True, cwd=config.parent, **streams)


def test_at_an_address_and_over_urls(cluster: str, options: Options, corpus: Any, tmp_path: Path) -> None:
    """All rows are bad, which is the one case in which bad rows are an error."""
    write_jsonl(tmp_path / "in" / "a.jsonl", [row | {"target": ""} for row in segments(corpus, 3)])
    changes = {"engine": None, "bulk.address": cluster, "bulk.output": f"local://{tmp_path}/out"}
    config = tmp_path / "bulk.yaml"
    config.write_text(yaml.safe_dump(options(changes | {"bulk.input": f"file://{tmp_path}/in/*.jsonl"})))
    done = kiwi_predict(config, "--engine", "ray", "-q")
    output, errors = done.communicate(timeout=100)
    assert (done.returncode, output) == (3, ""), errors
    assert "Error: All 3 rows are bad. The first: a, line 1: found an empty target" in errors
    assert "INFO" not in errors
    assert len(read_jsonl(tmp_path / "out" / "_rejects" / "a.jsonl")) == 3
    assert (tmp_path / "out" / "a.jsonl").read_bytes() == b""


def test_nobody_at_an_address() -> None:
    with pytest.raises(ConfigError, match=r"bulk\.address: 127\.0\.0\.1:1: Ray cannot be reached: .*refused"):
        check_listening("127.0.0.1:1")


def test_ray_does_not_print_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ray prints the failures of workers from a thread that runs from its start to the end of its shutdown."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda *_, **__: print("(raylet) starts"))
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 1}}])
    monkeypatch.setattr(ray, "shutdown", lambda: print("(raylet) The actor is dead"))
    config = BulkConfig.from_dict({"input": "in", "output": "out"})
    with open_pool(config, verbose=False):
        print("(raylet) A worker died")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["(raylet) starts", "(raylet) A worker died", "(raylet) The actor is dead"]


def test_stopped_while_ray_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(*_: object, **__: object) -> None:
        raise SystemExit(15)  # which is what Ray does on SIGTERM

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    config = BulkConfig.from_dict({"input": "in", "output": "out"})
    expected = "while Ray was starting. Finished shards are kept; run the same command again to resume the job."
    with pytest.raises(StoppedError, match=expected), open_pool(config, verbose=False):
        pass


@pytest.mark.parametrize(
    ("number", "code", "reason", "done"),
    [
        (signal.SIGINT, 130, "Stopped by Ctrl-C", ["a.jsonl"]),
        (signal.SIGTERM, 143, "Stopped by SIGTERM", []),  # before the first result, Ray would log the error
    ],
)
def test_stopped_by_the_user(
    options: Options,
    corpus: Any,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
    reason: str,
    done: list[str],
) -> None:
    """On a Ray that the job starts on this machine."""
    for name in done:
        write_jsonl(tmp_path / "in" / name, segments(corpus, 2))
    write_jsonl(tmp_path / "in" / "b.jsonl", segments(corpus, 5000))
    config = tmp_path / "bulk.yaml"
    config.write_text(yaml.safe_dump(options({"bulk.rows_at_once": 1, "bulk.workers": 1})))
    process = kiwi_predict(config)
    deadline = time.monotonic() + 90
    while not at_work_on(tmp_path / "out", "b.jsonl") and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert output == ""
    assert f"Error: {reason}. Finished shards are kept; run the same command again to resume the job." in errors
    assert "Traceback" not in errors
    assert {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")} == {
        "_job.json",
        *done,
    }
    assert not at_work_on(tmp_path / "out", "b.jsonl")
