"""Several processes: a reload, and processes that are killed, while requests arrive."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from kiwi.client import Client, Segment
from kiwi.lib.export import Export

WAITING = re.compile(r'^kiwi_waiting_segments\{model="nuqe"\} (\S+)$', re.MULTILINE)


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """Return the processes that have loaded the model, of all that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(each) for each in text.split() if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def has_open(pid: int, path: Path) -> bool:
    return any(each.resolve() == path for each in Path(f"/proc/{pid}/fd").iterdir())


def upload(url: str, n_segments: int, parent: int, place: Path) -> tuple[str, int]:
    """Return the address of a file, and the process that scores it, which has begun."""
    lines = ["source\ttarget\talignments", *(f"{n} a\tb {n}\t0-0" for n in range(n_segments))]
    with httpx.Client(base_url=url, timeout=60) as client:
        answer = client.post("/v1/files?name=a.tsv", content="\n".join(lines).encode())
        path = answer.headers["location"]
        wait_for(lambda: client.get(path).json()["total"])
    (job,) = place.glob(f"kiwi-files-*/{path.rpartition('/')[2]}/held")
    (scoring,) = [pid for pid in children(parent) if has_open(pid, job)]
    return path, scoring


def test_no_request_is_lost_when_processes_are_killed_and_replaced(exported: Export, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kiwi", "serve", "-m", f"nuqe={exported.path}", "--no-align", "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    log_file = tmp_path / "log"
    with log_file.open("wb") as stderr:
        process = subprocess.Popen([*command, "--workers", "2"], env=environment, stderr=stderr)

    def log() -> str:
        return log_file.read_text(encoding="utf-8")

    scores: dict[int, float | None] = {}
    stop = threading.Event()

    def ask(url: str) -> None:
        with Client(url, timeout=60, tries=9) as client:
            while not stop.wait(0.02):
                number = len(scores)
                scores[number] = client.score([Segment(f"a {number}", "b c", alignments="0-0 1-1")]).segments[0].score

    try:
        wait_for(lambda: process.poll() is not None or re.search(r"at http\S+", log()))
        url = re.search(r"at (http\S+)", log())
        assert url is not None, log()
        asking = threading.Thread(target=ask, args=(url[1],))
        asking.start()
        path, scoring = upload(url[1], 60_000, process.pid, tmp_path)

        def is_caught() -> bool:  # while segments of the file wait
            os.kill(scoring, signal.SIGSTOP)
            with httpx.Client(base_url=url[1], timeout=60) as client:
                if float(WAITING.findall(client.get("/metrics").text)[0]) > 10:
                    return True
            os.kill(scoring, signal.SIGCONT)
            return False

        wait_for(is_caught)
        os.kill(scoring, signal.SIGKILL)
        # Asked in the other process, or in the one that takes its place.
        with Client(url[1], tries=9) as patient:
            found = patient._request("GET", path).json()
            assert (found["state"], "has ended" in found["error"]) == ("failed", True)
        wait_for(lambda: "is replaced" in log())
        with httpx.Client(base_url=url[1], timeout=60) as client:
            assert float(WAITING.findall(client.get("/metrics").text)[0]) < 10  # those of the file no longer wait
        former = {*children(process.pid)}
        path, scoring = upload(url[1], 8000, process.pid, tmp_path)
        os.kill(scoring, signal.SIGSTOP)  # until another one takes its place
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
        wait_for(lambda: log().count("has taken the place of") == 2)
        with Client(url[1], tries=9) as patient:
            before = patient._request("GET", path).json()
            assert (before["state"], before["total"]) == ("running", 8000)
            assert before["segments"] < 8000
            os.kill(scoring, signal.SIGCONT)
            wait_for(lambda: patient._request("GET", path).json()["state"] != "running")
            done = patient._request("GET", path).json()
            assert (done["state"], done["segments"], done["error"]) == ("done", 8000, None)
            assert len(patient._request("GET", f"{path}/content").text.splitlines()) == 8001
        n_answers = len(scores)
        wait_for(lambda: len(scores) > n_answers + 5)
        wait_for(lambda: not former & {*children(process.pid)})
        stop.set()
        asking.join()
        assert None not in scores.values()
    finally:
        stop.set()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log()
    assert not list(tmp_path.glob("kiwi-*"))
    assert "Traceback" not in log()
    assert log().count("has taken the place of") <= 4  # once for all signals in the meantime
    assert sorted(scores) == list(range(len(scores)))
