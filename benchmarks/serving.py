"""A server to measure, and clients of it that cost little; for serve.py."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "kiwi/assets/sample"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def pairs(n: int, first: int = 0) -> list[tuple[str, str]]:
    """Return different segments of the lengths of the bundled sample."""
    sides = [(SAMPLE / f"raw.{name}").read_text(encoding="utf-8").splitlines() for name in ("src", "mt")]
    found = list(zip(*sides, strict=True))
    numbered = [(i, found[i % len(found)]) for i in range(first, first + n)]
    return [(f"{i} {source}", f"{i} {target}") for i, (source, target) in numbered]


def body_of(segments: Sequence[tuple[str, str]], **more: Any) -> bytes:
    given = [{"source": source, "target": target} for source, target in segments]
    return json.dumps({"segments": given, "flags": False, **more}).encode()


def head_of(path: str, length: int | None, method: str = "POST") -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    kind = "application/json" if path == "/v1/score" else "application/octet-stream"
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{size}\r\n\r\n".encode()


class Server:
    """``kiwi serve`` in a process of its own.

    Args:
        model: the model.
        options: the options of the command.
        largest_file: the maximum size of the files that it can write, in place of a full disk.
        program: what Python runs, in place of ``-m kiwi``.
    """

    def __init__(
        self, model: str, *options: str, largest_file: int | None = None, program: Sequence[str] = ("-m", "kiwi")
    ) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="kiwi-benchmark-")
        self._log = Path(self._place.name) / "log"
        command = [sys.executable, *program, "serve", "-m", f"model={model}", "--port", "0", "--threads", "1", *options]
        environment = {**os.environ, "TMPDIR": self._place.name, "OMP_NUM_THREADS": "1"}
        limit = f"ulimit -f {largest_file // 1024}; " if largest_file else ""  # of the shell, for what it becomes
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f'{limit}exec "$@"', "bash", *command], env=environment, stdout=log, stderr=log, cwd=ROOT
            )
        self.port = 0
        while not self.port:
            if self.process.poll() is not None:
                raise RuntimeError(self.log())
            found = re.search(r"at http://127\.0\.0\.1:(\d+)", self.log())
            self.port = int(found[1]) if found else 0
            time.sleep(0.05)

    def __enter__(self) -> Self:
        asyncio.run(self._ready())
        return self

    async def _ready(self) -> None:
        async with Connection(self) as connection:
            await connection.ask(head_of("/health/ready", 0, "GET"))
            await connection.ask(*scoring([pairs(1, 10**9)[0]]))

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> int:
        """End the server, and return its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(120)
        self._final_log = self.log()
        self._place.cleanup()
        return status

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8") if self._log.exists() else self._final_log

    def cpu(self) -> float:
        """Return the seconds of a core that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss(self) -> float:
        """Return the MB of memory that it has now."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE / 2**20

    def open_files(self) -> int:
        """Return the number of its open files and connections."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def children(self) -> list[int]:
        """Return its workers."""
        pid = self.process.pid
        found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return [each for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def scoring(segments: Sequence[tuple[str, str]], **more: Any) -> tuple[bytes, bytes]:
    """Return the head and the body of a request."""
    body = body_of(segments, **more)
    return head_of("/v1/score", len(body)), body


class Connection:
    """A connection of a client, which reads no more of an answer than it must."""

    def __init__(self, server: Server) -> None:
        self._port = server.port

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()

    async def ask(self, *parts: bytes) -> tuple[int, bytes]:
        """Send a request, and return the status and the body of the answer."""
        self.writer.write(b"".join(parts))
        return await self.answer()

    async def answer(self) -> tuple[int, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        return int(head.split(None, 2)[1]), await self.reader.readexactly(int(length[1]) if length else 0)


@dataclass
class Outcome:
    """What clients have seen."""

    seconds: list[float] = field(default_factory=list)
    """The time of each request that was answered with 200."""

    statuses: dict[str, int] = field(default_factory=dict)
    wall: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0

    def count(self, status: object) -> None:
        self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1

    def percentiles(self) -> str:
        """Return p50, p95 and p99 in ms."""
        ordered = sorted(self.seconds)
        if not ordered:
            return "no answer"
        return "  ".join(f"p{share} {1000 * quantile(ordered, share / 100):.0f} ms" for share in (50, 95, 99))


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def load(
    server: Server, requests: Sequence[tuple[bytes, bytes]], clients: int, until: Callable[[], bool] = lambda: False
) -> Outcome:
    """Send requests from several clients, each of which sends the next one when it has an answer."""
    outcome, left = Outcome(), iter(requests)
    outcome.server_cpu, outcome.client_cpu, started = -server.cpu(), -own_cpu(), time.monotonic()

    async def client() -> None:
        async with Connection(server) as connection:
            for head, body in left:
                if until():
                    return
                asked = time.monotonic()
                status, _ = await connection.ask(head, body)
                outcome.count(status)
                if status == 200:
                    outcome.seconds.append(time.monotonic() - asked)

    await asyncio.gather(*(client() for _ in range(clients)))
    outcome.wall = time.monotonic() - started
    outcome.server_cpu += server.cpu()
    outcome.client_cpu += own_cpu()
    return outcome


async def arrivals(server: Server, requests: Sequence[tuple[bytes, bytes]], rate: float, clients: int = 64) -> Outcome:
    """Send requests at random times, a number of them per second on the average, whether others are answered or not."""
    import random

    chance, outcome = random.Random(1), Outcome()
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    connections = [await Connection(server).__aenter__() for _ in range(clients)]
    for connection in connections:
        idle.put_nowait(connection)

    async def ask(head: bytes, body: bytes, due: float) -> None:
        connection = await idle.get()
        status, _ = await connection.ask(head, body)
        outcome.count(status)
        outcome.seconds.append(time.monotonic() - due)
        idle.put_nowait(connection)

    due, tasks = time.monotonic(), []
    for head, body in requests:
        due += chance.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(ask(head, body, due)))
    await asyncio.gather(*tasks)
    for connection in connections:
        await connection.__aexit__()
    return outcome
