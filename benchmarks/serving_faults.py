"""What goes wrong around a server, and what it does then; for serve.py."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from serving import Connection, Outcome, Server, head_of, load, pairs, scoring

BROKEN = (OSError, asyncio.IncompleteReadError)
JUMPS = """
import sys, time
real, start = time.time, time.monotonic()
time.time = lambda: real() + (86400 if int(time.monotonic() - start) % 2 else -86400)
from kiwi.__main__ import main
main()
"""
"""A program whose clock jumps by two days each second; the clocks that never jump are left alone."""


async def others(server: Server, n: int = 100) -> str:
    """Return how one client fares meanwhile, whose requests have one segment each."""
    found = await load(server, [scoring([pair]) for pair in pairs(n, time.monotonic_ns() % 10**9)], 1)
    return f"others meanwhile: {found.percentiles()} {found.statuses}"


async def half_sent(server: Server, length: int = 100) -> Connection:
    connection = await Connection(server).__aenter__()
    connection.writer.write(head_of("/v1/score", length) + b"{")
    return connection


async def ended(connection: Connection) -> str:
    """Return how a connection ends: with a status, or closed."""
    try:
        status, _ = await asyncio.wait_for(connection.answer(), 60)
    except BROKEN:
        return "closed"
    await connection.__aexit__()
    return str(status)


def slow(args: argparse.Namespace) -> None:
    """50 clients that send a byte a second of the head or of the body, and 50 that read nothing of their answers."""

    async def drip(server: Server, content: bytes) -> str:
        connection = await Connection(server).__aenter__()
        answer = asyncio.create_task(ended(connection))
        for place in range(len(content)):
            with suppress(OSError):
                connection.writer.write(content[place : place + 1])
            if (await asyncio.wait({answer}, timeout=1))[0]:
                break
        return await answer

    async def deaf(server: Server) -> None:
        connection = await Connection(server).__aenter__()
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(50):
            connection.writer.write(head_of("/openapi.json", 0, "GET"))
        await asyncio.sleep(15)
        await connection.__aexit__()

    async def run(server: Server) -> None:
        started = time.monotonic()
        head, body = scoring(pairs(5))
        dripping = [drip(server, content) for content in (head, head + body) for _ in range(25)]
        told, *_ = await asyncio.gather(
            others(server), asyncio.gather(*dripping), asyncio.gather(*(deaf(server) for _ in range(50)))
        )
        left = server.open_files()
        print(f"slow: all ended after {time.monotonic() - started:.0f} s (--timeout 5), {left} files open; {told}")

    with Server(args.model, "--timeout", "5") as server:
        asyncio.run(run(server))


def half(args: argparse.Namespace) -> None:
    """200 bodies of which one byte is sent; half of the clients go away."""

    async def run(server: Server) -> None:
        connections = [await half_sent(server) for _ in range(200)]
        for connection in connections[100:]:
            await connection.__aexit__()
        told = await others(server)
        found = Counter(await asyncio.gather(*map(ended, connections[:100])))
        print(f"half: of 100 that stay: {dict(found)} (408 is told); {told}")

    with Server(args.model, "--timeout", "5") as server:
        asyncio.run(run(server))


def large(args: argparse.Namespace) -> None:
    """A body of 1 GB, announced or not, as a request and as a file."""

    async def send(server: Server, path: str, length: int | None) -> str:
        connection = await Connection(server).__aenter__()
        connection.writer.write(head_of(path, length))
        answer = asyncio.create_task(ended(connection))
        block, n_sent = b"x" * 2**20, 0
        while n_sent < 10**9 and not answer.done():
            connection.writer.write(block if length else b"%x\r\n%b\r\n" % (len(block), block))
            with suppress(OSError):
                await connection.writer.drain()
            n_sent += len(block)
            await asyncio.sleep(0)
        return f"{await answer} after {n_sent / 2**20:.0f} MiB"

    with Server(args.model) as server:
        before = server.rss()
        for path in ("/v1/score", "/v1/files?name=a.tsv"):
            for length in (10**9, None):
                kind = "announced" if length else "chunked"
                print(f"large: {path}, {kind}: {asyncio.run(send(server, path, length))}")
        print(f"large: memory {server.rss() - before:+.0f} MB; {asyncio.run(others(server))}")


def idle(args: argparse.Namespace) -> None:
    """Connections of which nothing is heard."""

    async def run(server: Server) -> None:
        before, connections = server.rss(), []
        for _ in range(args.connections):
            connections.append(await Connection(server).__aenter__())
        await asyncio.sleep(1)
        told = await others(server)
        print(f"idle: {len(connections)} connections, memory {server.rss() - before:+.0f} MB; {told}")
        await asyncio.gather(*map(ended, connections))
        left = server.open_files()
        print(f"idle: all closed by the server (--timeout 20), {left} files open")

    with Server(args.model, "--timeout", "20") as server:
        asyncio.run(run(server))


async def asked_until(server: Server, seconds: float, act: Callable[[], object], clients: int = 64) -> Counter[str]:
    """Return what clients see that go on asking while something happens, each of them once for each segment."""
    seen: Counter[str] = Counter()
    stop = asyncio.Event()

    async def client(number: int) -> None:
        place = number * 10**6
        while not stop.is_set():
            try:
                async with Connection(server) as connection:
                    while not stop.is_set():
                        status, body = await connection.ask(*scoring(pairs(1, place)))
                        answered = json.loads(body).get("segments", []) if status == 200 else []
                        seen[f"{status}"] += 1
                        seen["twice"] += len(answered) > 1
                        place += 1
            except ConnectionRefusedError:
                seen["refused"] += 1
                return
            except BROKEN:
                seen["connection lost"] += 1
                await asyncio.sleep(0.1)

    async def happen() -> None:
        await asyncio.sleep(seconds)
        act()
        await asyncio.sleep(seconds)
        stop.set()

    await asyncio.gather(happen(), *(client(number + 1) for number in range(clients)))
    return seen


def logged(server: Server) -> dict[str, int]:
    """Return how many requests the server says that it has answered, by status."""
    lines = [line.split("POST /v1/score ")[1] for line in server.log().splitlines() if "POST /v1/score " in line]
    return dict(Counter(line.split()[0] for line in lines))


def killed(args: argparse.Namespace) -> None:
    """One of two processes is killed under load."""
    with Server(args.model, "--workers", "2", "--cache", "0") as server:
        victim = server.children()[0]
        seen = asyncio.run(asked_until(server, 8, lambda: os.kill(victim, signal.SIGKILL)))
        print(f"killed: clients have seen {dict(seen)}; now {len(server.children())} processes")


def sigterm(args: argparse.Namespace) -> None:
    """The server is told to end under load."""
    with Server(args.model, "--cache", "0") as server:
        seen = asyncio.run(asked_until(server, 5, lambda: server.process.send_signal(signal.SIGTERM)))
        status = server.stop()
        told = logged(server)
        print(f"sigterm: answered {told}, one to try, clients have seen {dict(seen)}, status {status}")


def disk(args: argparse.Namespace) -> None:
    """A file for which there is no room, where files may have 1 MiB, and one that fits afterwards."""

    async def post(server: Server, path: str, content: bytes) -> tuple[int, bytes]:
        async with Connection(server) as connection:
            return await connection.ask(head_of(path, len(content)), content)

    def table(n: int) -> bytes:
        return "\n".join(["source\ttarget", *map("\t".join, pairs(n))]).encode()

    with Server(args.model, largest_file=2**20) as server:
        status, answer = asyncio.run(post(server, "/v1/files?name=a.tsv", table(20_000)))
        print(f"disk: {status} {json.loads(answer).get('detail')}")
        status, answer = asyncio.run(post(server, "/v1/files?name=a.tsv", table(20)))
        print(f"disk: a smaller one: {status} {json.loads(answer).get('state')}")


def clock(args: argparse.Namespace) -> None:
    """The clock of the day jumps by two days each second."""

    def run(program: Sequence[str]) -> Outcome:
        with Server(args.model, "--cache", "0", program=program) as server:
            return asyncio.run(load(server, [scoring([pair]) for pair in pairs(args.segments)], 64))

    for name, program in {"steady": ("-m", "kiwi"), "jumping": ("-c", JUMPS)}.items():
        found = run(program)
        print(f"clock: {name}: {args.segments / found.wall:.0f} requests/s, {found.percentiles()}, {found.statuses}")


FAULTS = {each.__name__: each for each in (slow, half, large, idle, killed, sigterm, disk, clock)}
