"""A training run that is killed at random moments and resumed, compared with one that never stopped.

    python benchmarks/resume.py [--kills 30] [--epochs 6] [--seed 1] [--corpus /path/to/mlqe-pe/en-de]

Trains NuQE on the bundled sample (or on a corpus, with config/nuqe.yaml) once without a stop. Then, for each kill, it
starts a new run, sends SIGKILL at a random moment, resumes the run, and compares the files of the two runs byte by
byte: weights, optimizer, checkpoints, metrics. It prints what each kill interrupted and how many runs ended
differently, which is the exit code. With --cost N, it also prints the share of the time of epochs that the state,
checkpoints, metrics.csv and tracking (in a directory) take, as medians of N runs.

Processes are forked after the imports, so that only training is timed; this requires Unix.
"""

from __future__ import annotations

import argparse
import json
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
from kiwi.training import callbacks, keep_state, metrics_log, run_record, trainer
from kiwi.training.module import TrainingModule

ROOT = Path(__file__).resolve().parent.parent

VOLATILE = {"output.log", "run.json", ".lock"}
"""Files with times, paths and process ids."""


def options_of(arguments: argparse.Namespace, output_dir: Path, **trainer_options: Any) -> dict[str, Any]:
    """Return the configuration of a run."""
    changes = [f"run.output_dir={output_dir}", f"trainer.epochs={arguments.epochs}", "trainer.log_interval=5"]
    changes += [f"trainer.{key}={value}" for key, value in trainer_options.items()]
    if arguments.corpus is None:
        return load_configuration(example_configuration("train"), changes)
    return load_configuration(ROOT / "config" / "nuqe.yaml", [*changes, f"_corpus={arguments.corpus}"])


def in_a_process(function: Callable[[], Any]) -> int:
    """Call a function in a forked process, and return its process id."""
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
    """Train in a process of its own, and return the time in seconds."""
    start = time.perf_counter()
    status = os.waitpid(in_a_process(lambda: train_from_configuration(options)), 0)[1]
    if status:
        raise SystemExit(f"a run failed: status {status}")
    return time.perf_counter() - start


def files_of(output_dir: Path) -> dict[str, bytes]:
    """Return the content of the files of a run, without those that name its directory."""
    there = [path for path in sorted(output_dir.rglob("*")) if path.is_file() and path.name not in VOLATILE]
    return {
        str(path.relative_to(output_dir)): path.read_bytes()
        for path in there
        if path.parent != output_dir or path.name != "config.yaml"
    }


def describe_kill(output_dir: Path) -> str:
    """Describe what a kill has interrupted."""
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
    """Kill a run after so many seconds and resume it; return whether it ends like the one that never stopped."""
    options = options_of(arguments, place)
    child = in_a_process(lambda: train_from_configuration(options))
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    what = describe_kill(place)
    if what == "before its first state":
        trained(options)
    elif what != "when it had finished":
        trained(options_of(arguments, place, resume=True))
    other = files_of(place)
    differing = [name for name in {**whole, **other} if whole.get(name) != other.get(name)]
    print(f"killed after {moment:6.2f} s, {what}: {', '.join(differing) or 'the same bytes'}", flush=True)
    return not differing


COSTLY = [
    ("state", keep_state.KeepState, "on_train_batch_start"),
    ("checkpoints", callbacks.BestCheckpoints, "on_validation_end"),
    ("metrics.csv", metrics_log.MetricsFile, "log_metrics"),
    ("tracking", metrics_log.TrackerMetrics, "log_metrics"),
]


def cost(arguments: argparse.Namespace, place: Path) -> None:
    """Print the share of the time of an epoch that each part takes, in runs that are tracked in a directory."""
    shares: dict[str, list[float]] = {name: [] for name, _, _ in COSTLY}
    for number in range(arguments.cost):
        spent, total = seconds_spent(arguments, place / f"cost-{number}")
        for name, seconds in spent.items():
            shares[name].append(seconds / total)
        listing = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in spent.items())
        print(f"{total:.1f} s of epochs: {listing}", flush=True)
    for name, values in shares.items():
        print(f"{name}: {100 * statistics.median(values):.2f} %")
    print(f"together: {100 * sum(statistics.median(values) for values in shares.values()):.2f} %")


def seconds_spent(arguments: argparse.Namespace, output_dir: Path) -> tuple[dict[str, float], float]:
    """Train in a process of its own; return the seconds in each part, and those of all epochs."""
    reading, writing = os.pipe()

    def measured() -> None:
        spent = {name: timed(owner, method) for name, owner, method in COSTLY}
        epochs = timed(TrainingModule, "on_train_epoch_start", until="on_train_epoch_end")
        options = options_of(arguments, output_dir)
        uri = str(output_dir / "mlruns")
        options["run"] |= {"use_mlflow": True, "mlflow_tracking_uri": uri, "experiment_name": "cost"}
        train_from_configuration(options)
        os.write(writing, json.dumps([{name: sum(times) for name, times in spent.items()}, sum(epochs)]).encode())

    if os.waitpid(in_a_process(measured), 0)[1]:
        raise SystemExit("a run failed")
    spent, total = json.loads(os.read(reading, 65536))
    return spent, total


def timed(owner: Any, method: str, until: str = "") -> list[float]:
    """Time each call of a method, or the time from a call to one of another method; return the list of seconds."""
    times: list[float] = []
    begin = getattr(owner, method)
    starts = [0.0]

    def first(*args: Any, **kwargs: Any) -> Any:
        starts[0] = time.perf_counter()
        result = begin(*args, **kwargs)
        if not until:
            times.append(time.perf_counter() - starts[0])
        return result

    setattr(owner, method, first)
    if until:
        end = getattr(owner, until)

        def last(*args: Any, **kwargs: Any) -> Any:
            result = end(*args, **kwargs)
            times.append(time.perf_counter() - starts[0])
            return result

        setattr(owner, until, last)
    return times


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
        whole = files_of(place / "whole")
        print(f"whole: {seconds:.2f} s, {len(whole)} files", flush=True)
        moments = [random.uniform(0.0, seconds) for _ in range(arguments.kills)]
        same = [kill(arguments, moment, place / str(number), whole) for number, moment in enumerate(moments)]
        print(f"{sum(same)} of {len(same)} runs ended with the same bytes")
        if arguments.cost:
            cost(arguments, place)
    return len(same) - sum(same)


if __name__ == "__main__":
    raise SystemExit(main())
