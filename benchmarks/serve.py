"""How ``kiwi serve`` behaves under load, and when something goes wrong.

    python benchmarks/serve.py -m MODEL [PART ...] [--segments N] [--requests N] [--connections N]

MODEL reads source and target, such as an export with --int8. The parts are `throughput`, `latency`, `memory`, `slow`,
`half`, `large`, `idle`, `killed`, `sigterm`, `disk` and `clock`; without any, all of them. `soak`,
which takes an hour, runs only when it is named. Server and bare runner
compute with one thread. Where clients and server share a core, as on a small machine, the seconds of a core that each
uses are told apart: `of the bare runner` compares segments per second of a core that the server uses, with those of the
bare runner.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time

from serving import ROOT, Server, arrivals, load, own_cpu, pairs, quantile, scoring
from serving_faults import FAULTS
from serving_soak import soak

CLIENTS = 64


def bare(model: str, n: int) -> None:
    """Print the segments per second of a core that the runner alone reaches."""
    import kiwi

    runner = kiwi.load_system(model, threads=1)

    def predict(given: list[tuple[str, str]]) -> None:
        runner.predict([source for source, _ in given], [target for _, target in given])

    predict(pairs(64, 10**8))
    used, started = own_cpu(), time.monotonic()
    predict(pairs(n))
    print(json.dumps({"per_cpu": n / (own_cpu() - used), "per_wall": n / (time.monotonic() - started)}))


def measure_bare(model: str, n: int) -> dict[str, float]:
    command = [sys.executable, __file__, "-m", model, "bare", "--segments", str(n)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
    return dict(json.loads(found.splitlines()[-1]))


def throughput(args: argparse.Namespace) -> None:
    n = args.segments
    for size in (1, 16, 64):
        alone = [measure_bare(args.model, n)]
        with Server(args.model, "--cache", "0") as server:
            given = pairs(n, 10**6)
            requests = [scoring(given[i : i + size]) for i in range(0, n, size)]
            found = asyncio.run(load(server, requests, CLIENTS))
        alone.append(measure_bare(args.model, n))  # before and after, as others may use the machine too
        per_cpu, bare_per_cpu = n / found.server_cpu, statistics.fmean(each["per_cpu"] for each in alone)
        shown = ", ".join(f"{each['per_cpu']:.0f}" for each in alone)
        print(
            f"throughput: {CLIENTS} clients, {size} segments a request: {n / found.wall:.0f} segments/s, "
            f"{per_cpu:.0f} per second of a core, {per_cpu / bare_per_cpu:.2f} of the bare runner "
            f"({shown}); {found.percentiles()}; "
            f"clients {found.client_cpu / found.wall:.1%} of a core; {found.statuses}",
            flush=True,
        )


def latency(args: argparse.Namespace) -> None:
    with Server(args.model, "--cache", "0") as server:
        single = [scoring([pair]) for pair in pairs(min(300, args.segments))]
        alone = asyncio.run(load(server, single, 1))
        full = asyncio.run(load(server, [scoring([pair]) for pair in pairs(args.segments, 10**6)], CLIENTS))
        rate = args.segments / full.wall / 2
        half = asyncio.run(arrivals(server, [scoring([pair]) for pair in pairs(args.segments, 2 * 10**6)], rate))
    p50, p95 = quantile(sorted(alone.seconds), 0.5), quantile(sorted(half.seconds), 0.95)
    print(f"latency: a segment alone: {alone.percentiles()}")
    print(f"latency: at half load ({rate:.0f} a second): {half.percentiles()}; p95 is {p95 / p50:.1f} times p50 alone")


def memory(args: argparse.Namespace) -> None:
    with Server(args.model, "--cache", "1000") as server:
        tenth = max(CLIENTS, args.requests // 10)
        sizes = []
        for part in range(10):
            asyncio.run(load(server, [scoring([pair]) for pair in pairs(tenth, part * tenth)], CLIENTS))
            sizes.append(server.rss())
            print(f"memory: {sizes[-1]:.1f} MB after {(part + 1) * tenth} requests", flush=True)
    print(f"memory: {sizes[-1] - sizes[2]:+.1f} MB in the last seven tenths")


PARTS = {"throughput": throughput, "latency": latency, "memory": memory, **FAULTS}
LONG = {"soak": soak}
"""Parts that run only when they are named."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join([*PARTS, *LONG]))
    parser.add_argument("--segments", type=int, default=3000, help="of each measurement of load")
    parser.add_argument("--requests", type=int, default=20_000, help="of the measurement of memory")
    parser.add_argument("--connections", type=int, default=10_000, help="that are idle")
    parser.add_argument("--minutes", type=int, default=60, help="of the soak")
    parser.add_argument("--share", type=float, default=0.25, help="of a core that the soak uses")
    args = parser.parse_args()
    if args.parts == ["bare"]:
        bare(args.model, args.segments)
        return
    if unknown := {*args.parts} - PARTS.keys() - LONG.keys():
        parser.error(f"found {', '.join(sorted(unknown))}; expected {', '.join({**PARTS, **LONG})}")
    for part in args.parts or PARTS:
        {**PARTS, **LONG}[part](args)


if __name__ == "__main__":
    main()
