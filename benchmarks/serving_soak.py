"""An hour of everything that clients do, at a steady share of a core, and what memory the server has; for serve.py."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from serving import Connection, Server, head_of, own_cpu, pairs, scoring

BROKEN = (OSError, asyncio.IncompleteReadError)
KNOWN = 500
"""The number of segments that come again and again, and that the cache has."""

EVERY_SECONDS = {"file": 15, "look": 20}
"""What happens at fixed times: a file, and the calls that people and monitors make."""

OPTIONS = ("--cache", "2000", "--file-expiry", "60", "--max-files", "50")
"""Limits that are reached within minutes, so that what is bounded does not look like growth."""


PROGRAM = """
from kiwi.data.text import word_pieces
word_pieces.CACHED_WORDS = 1000
from kiwi.__main__ import main
main()
"""
"""The server, whose cache of words is full within minutes, too."""


class Soak:
    """Clients that do everything, paced so that they and the server use a share of a core.

    Args:
        server: the server.
        share: the share of a core.
    """

    def __init__(self, server: Server, share: float) -> None:
        self._server, self._share = server, share
        self._chance = random.Random(1)
        self._fresh = KNOWN
        self._known = [scoring([pair]) for pair in pairs(KNOWN)]
        self.seen: Counter[str] = Counter()

    def _new(self, n: int) -> list[tuple[str, str]]:
        self._fresh += n
        return pairs(n, self._fresh - n)

    async def run(self, until: float, clients: int = 8) -> None:
        """Ask until a time of the monotonic clock."""
        permits: asyncio.Semaphore = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(self._client(permits)) for _ in range(clients)]
        tasks += [asyncio.create_task(self._regularly(name, until)) for name in EVERY_SECONDS]
        started, used = time.monotonic(), self._server.cpu() + own_cpu()
        while time.monotonic() < until:
            await asyncio.sleep(0.05)
            allowed = self._share * (time.monotonic() - started)
            if self._server.cpu() + own_cpu() - used < allowed and permits.locked():
                for _ in range(2 * clients):
                    permits.release()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _client(self, permits: asyncio.Semaphore) -> None:
        while True:
            try:
                async with Connection(self._server) as connection:
                    async for parts in self._requests(permits):
                        status, _ = await connection.ask(*parts)
                        self.seen[str(status)] += 1
            except BROKEN:
                self.seen["connection lost"] += 1

    async def _requests(self, permits: asyncio.Semaphore) -> AsyncIterator[tuple[bytes, ...]]:
        """Yield requests of all kinds; after some, the client goes away and comes again."""
        while True:
            await permits.acquire()
            kind = self._chance.random()
            if kind < 0.85:
                yield self._chance.choice(self._known)
            elif kind < 0.91:
                yield scoring(self._new(1), flags=True, words=True)
            elif kind < 0.93:
                yield scoring([*self._new(8), *pairs(8)], words=True)
            elif kind < 0.96:
                yield self._wrong()
            elif kind < 0.98:
                await self._go_away(b"".join(scoring(self._new(1))), -1)
            elif kind < 0.99:
                await self._go_away(b"".join(scoring(self._new(16))), None)
            else:
                return

    def _wrong(self) -> tuple[bytes, ...]:
        bodies = (
            b"{",
            b'{"segments": []}',
            b'{"segments": [{"id": "a", "source": "A text.", "target": ""}]}',
            b'{"segments": [{"source": 1, "target": "x"}], "unknown": 1}',
            b'{"model": "%d", "segments": [{"source": "a", "target": "b"}]}' % self._fresh,
        )
        body = self._chance.choice(bodies)
        path = "/v1/score" if self._chance.random() < 0.8 else f"/nothing/{self._fresh}"
        return head_of(path, len(body)), body

    async def _go_away(self, content: bytes, end: int | None) -> None:
        with suppress(*BROKEN):
            async with Connection(self._server) as connection:
                connection.writer.write(content[:end])
                await connection.writer.drain()
                await asyncio.sleep(self._chance.random() / 20)
        self.seen["gone away"] += 1

    async def _regularly(self, name: str, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(EVERY_SECONDS[name])
            with suppress(*BROKEN):
                await (self._file() if name == "file" else self._look())
                self.seen[name] += 1

    async def _closing(self, head: bytes, body: bytes = b"") -> bytes:
        """Return all of an answer on a connection of its own."""
        async with Connection(self._server) as connection:
            connection.writer.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
            return (await connection.reader.read()).partition(b"\r\n\r\n")[2]

    async def _file(self) -> None:
        rows = [*self._new(10), *pairs(10)]
        table = "\n".join(["source\ttarget", *map("\t".join, rows)]).encode()
        answer = await self._closing(head_of("/v1/files?name=a.tsv", len(table)), table)
        place = "/v1/files/" + json.loads(answer)["id"]
        await self._closing(head_of(f"{place}/events", 0, "GET"))
        await self._closing(head_of(f"{place}/segments?order=lowest&limit=5&words=true", 0, "GET"))
        await self._closing(head_of(f"{place}/content", 0, "GET"))
        if self._chance.random() < 0.5:  # the others expire
            await self._closing(head_of(place, 0, "DELETE"))

    async def _look(self) -> None:
        for path in ("/", "/metrics", "/health/ready", "/v1/models", "/openapi.json"):
            await self._closing(head_of(path, 0, "GET"))


def soak(args: argparse.Namespace) -> None:
    """Print the memory of the server each minute."""
    with Server(args.model, *OPTIONS, program=("-c", PROGRAM)) as server:
        clients = Soak(server, args.share)
        started, sizes, n_before = time.monotonic(), [], 0
        for minute in range(1, args.minutes + 1):
            asyncio.run(clients.run(started + 60 * minute))
            sizes.append(server.rss())
            n_requests = clients.seen.total()
            n_threads = len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))
            print(
                f"soak: minute {minute}: {sizes[-1]:.1f} MB, {n_requests} requests ({n_requests - n_before} in it), "
                f"{server.open_files()} open files, {n_threads} threads, load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            n_before = n_requests
        middle = sizes[len(sizes) // 2]
        print(f"soak: {sizes[-1] - middle:+.1f} MB in the second half, {server.cpu():.0f} s of a core")
        print(f"soak: {dict(clients.seen)}")
