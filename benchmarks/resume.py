"""A training that is killed at random moments, and goes on each time, against one that never stopped.

    python benchmarks/resume.py [--kills 30] [--epochs 6] [--seed 1] [--corpus /path/to/mlqe-pe/en-de]

Trains NuQE on the bundled sample (or, as config/nuqe.yaml says, on a corpus) once without a stop; then, for each kill,
trains anew, sends SIGKILL at a random moment of its time, resumes, and compares everything that the two runs left:
weights, optimizer, checkpoints, metrics, byte by byte. Prints what each kill hit and how many runs ended differently,
which is the exit code; then, with --cost N, what keeping the state costs: N pairs of runs with and without it.

Processes are forked after the imports, so that a run costs what it trains, on Unix.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from kiwi.lib.train import train_from_configuration
from kiwi.lib.utils import example_configuration, load_configuration
from kiwi.training import keep_state, run_record, trainer

ROOT = Path(__file__).resolve().parent.parent

VOLATILE = {"output.log", "run.json", ".lock"}
"""Files that hold times, paths and process numbers."""


def options_of(arguments: argparse.Namespace, output_dir: Path, **trainer_options: Any) -> dict[str, Any]:
    """The configuration of a run."""
    changes = [f"run.output_dir={output_dir}", f"trainer.epochs={arguments.epochs}", "trainer.log_interval=5"]
    changes += [f"trainer.{key}={value}" for key, value in trainer_options.items()]
    if arguments.corpus is None:
        return load_configuration(example_configuration("train"), changes)
    return load_configuration(ROOT / "config" / "nuqe.yaml", [*changes, f"_corpus={arguments.corpus}"])


def in_a_process(function: Callable[[], Any]) -> int:
    """Fork; the child's process number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return child


def trained(options: Mapping[str, Any]) -> float:
    """Seconds of a run in a process of its own."""
    start = time.perf_counter()
    status = os.waitpid(in_a_process(lambda: train_from_configuration(options)), 0)[1]
    if status:
        raise SystemExit(f"a run failed: status {status}")
    return time.perf_counter() - start


def left_by(output_dir: Path) -> dict[str, bytes]:
    """Content of the files of a run, those that name its directory left out."""
    there = [path for path in sorted(output_dir.rglob("*")) if path.is_file() and path.name not in VOLATILE]
    return {
        str(path.relative_to(output_dir)): path.read_bytes()
        for path in there
        if path.parent != output_dir or path.name != "config.yaml"
    }


def hit(output_dir: Path) -> str:
    """What a kill has come upon."""
    if any(output_dir.rglob(".resume*kiwi-part")):
        return "while its state was written"
    if any(output_dir.rglob("*kiwi-part")):
        return "while another file was written"
    if not (output_dir / "resume.safetensors").exists():
        finished = run_record.read_status(output_dir).get("status") == "finished"
        return "when it had finished" if finished else "before its first state"
    log = (output_dir / "output.log").read_text(encoding="utf-8")
    return f"after {log.count('Epoch ')} lines of metrics"


def kill(arguments: argparse.Namespace, moment: float, place: Path, whole: Mapping[str, bytes]) -> bool:
    """Kill a run after so many seconds, resume it; whether it ends as the whole one."""
    options = options_of(arguments, place)
    child = in_a_process(lambda: train_from_configuration(options))
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    what = hit(place)
    if what == "before its first state":
        trained(options)
    elif what != "when it had finished":
        trained(options_of(arguments, place, resume=True))
    other = left_by(place)
    differing = [name for name in {**whole, **other} if whole.get(name) != other.get(name)]
    print(f"killed after {moment:6.2f} s, {what}: {', '.join(differing) or 'the same bytes'}", flush=True)
    return not differing


def cost(arguments: argparse.Namespace, place: Path) -> None:
    """Print what keeping the state costs, in pairs of runs."""
    ratios = []
    for number in range(arguments.cost):
        seconds = {}
        for keeps in random.sample([True, False], 2):
            directory = place / f"cost-{number}-{keeps}"
            plain = keep_state.KeepState.on_train_batch_start
            if not keeps:
                keep_state.KeepState.on_train_batch_start = lambda *_: None  # type: ignore[method-assign]
            seconds[keeps] = trained(options_of(arguments, directory))
            keep_state.KeepState.on_train_batch_start = plain  # type: ignore[method-assign]
        ratios.append(seconds[True] / seconds[False])
        print(f"{seconds[True]:.2f} s with, {seconds[False]:.2f} s without: {ratios[-1]:.4f}", flush=True)
    print(f"ratio, median of {arguments.cost} pairs: {statistics.median(ratios):.4f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cost", type=int, default=0)
    parser.add_argument("--corpus", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    assert trainer  # imported before the forks
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        seconds = trained(options_of(arguments, place / "whole"))
        whole = left_by(place / "whole")
        print(f"whole: {seconds:.2f} s, {len(whole)} files", flush=True)
        moments = [random.uniform(0.0, seconds) for _ in range(arguments.kills)]
        same = [kill(arguments, moment, place / str(number), whole) for number, moment in enumerate(moments)]
        print(f"{sum(same)} of {len(same)} runs ended with the same bytes")
        if arguments.cost:
            cost(arguments, place)
    return len(same) - sum(same)


if __name__ == "__main__":
    raise SystemExit(main())
