"""The time that each part of a training epoch takes.

    python benchmarks/training.py --corpus /path/to/mlqe-pe/en-de [--encoder DIR] [--segments 2000] [--against TREE]

Trains NuQE with config/nuqe.yaml or, with --encoder, a pretrained encoder with config/transformer-tags.yaml, and prints
the parts of the wall time of the last epoch, from its fifth batch on: forward pass and loss, backward pass, optimizer
(with gradient clipping), and everything else; validation is counted separately. It also prints the time that collate
takes per segment of the dev data, for new and for known words, and the peak memory of the process. Each run is a
process of its own with one thread; figures are medians of the repeats. With --against, each run is paired with one of
the kiwi in another directory, such as a checkout of an earlier commit. On a machine that does other work too,
--cpu-time measures processor time instead of wall time. --profile prints the functions that take most of the last
epoch; cProfile slows Python down, so do not read shares from it.
"""

from __future__ import annotations

import argparse
import cProfile
import functools
import gc
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from memory import peak_mb

ROOT = Path(__file__).resolve().parent.parent

FIRST_BATCH = 4
"""The number of batches at the start of the epoch that are not timed."""

COMPUTING = ("forward", "backward", "optimizer")

LOOP = "loop (Lightning)"

APART = "validation"


class Clock:
    """Measures time by part; time always counts for the innermost part that is being called.

    Every call during validation counts as validation.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds: dict[str, float] = defaultdict(float)
        self.runs = False
        self._parts = [LOOP]
        self._since = 0.0

    def enter(self, part: str) -> None:
        """Count time for this part from now on."""
        self._count()
        self._parts.append(APART if self._parts[-1] == APART else part)

    def leave(self) -> None:
        """Count time for the enclosing part again."""
        self._count()
        self._parts.pop()

    def _count(self) -> None:
        now = self.now()
        if self.runs:
            self.seconds[self._parts[-1]] += now - self._since
        self._since = now

    def wrap(self, owner: Any, method: str, part: str) -> None:
        """Count the time in a method for a part."""
        plain = getattr(owner, method)

        @functools.wraps(plain)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.enter(part)
            try:
                return plain(*args, **kwargs)
            finally:
                self.leave()

        setattr(owner, method, timed)


def watch(clock: Clock) -> None:
    """Wrap the functions that training calls."""
    import torch
    from lightning.pytorch.core.module import LightningModule
    from lightning.pytorch.loops import evaluation_loop
    from lightning.pytorch.loops.optimization.automatic import Closure
    from lightning.pytorch.plugins.precision.precision import Precision
    from lightning.pytorch.trainer.connectors.logger_connector import logger_connector
    from torch.optim import lr_scheduler, optimizer
    from torch.utils.data import dataloader

    from kiwi.systems.encoders import frozen_layers
    from kiwi.systems.qe_system import QESystem
    from kiwi.training import callbacks, keep_state, metrics_log, module

    for owner, method, part in [
        (QESystem, "losses", "forward"),
        (torch.Tensor, "backward", "backward"),
        (torch.nn.utils, "clip_grad_norm_", "optimizer"),
        (LightningModule, "optimizer_zero_grad", "optimizer"),
        (Closure, "__call__", LOOP),  # the optimizer's step calls it
        (Precision, "_after_closure", LOOP),
        (lr_scheduler.LRScheduler, "step", "schedule"),
        (frozen_layers.WithFrozenStates, "__call__", "collate"),
        (dataloader._BaseDataLoaderIter, "__next__", "other data"),
        (module.TrainingModule, "transfer_batch_to_device", "transfer"),
        (LightningModule, "log", "logging"),
        *[
            (logger_connector._LoggerConnector, name, "logging")
            for name in ("on_batch_end", "update_train_step_metrics")
        ],
        (metrics_log.MetricsFile, "log_metrics", "logging"),
        (callbacks.Throughput, "on_train_batch_end", "callbacks"),
        (module.TrainingModule, "on_train_batch_start", "callbacks"),
        (keep_state.KeepState, "on_train_batch_start", "kept state"),
        (evaluation_loop._EvaluationLoop, "run", APART),
    ]:
        clock.wrap(owner, method, part)
    gc.callbacks.append(lambda phase, _: clock.enter("garbage") if phase == "start" else clock.leave())
    optimizer.register_optimizer_step_pre_hook(lambda *_: clock.enter("optimizer"))
    optimizer.register_optimizer_step_post_hook(lambda *_: clock.leave())


def child(
    configuration: str, output: str, corpus: str, encoder: str, epochs: str, profile: str, clock_name: str
) -> dict[str, Any]:
    """Train in this process, and return the measurements."""
    import torch

    torch.set_num_threads(1)
    from kiwi.lib.train import train_from_configuration
    from kiwi.lib.utils import load_configuration
    from kiwi.training.module import TrainingModule

    now = getattr(time, clock_name)
    clock, last, profiler = Clock(now), int(epochs) - 1, cProfile.Profile()
    watch(clock)
    start, end = TrainingModule.on_train_batch_start, TrainingModule.on_train_epoch_end
    counted = 0

    def started(self: TrainingModule, batch: Any, batch_idx: int) -> None:
        nonlocal counted
        if self.current_epoch == last and batch_idx >= FIRST_BATCH:
            if not clock.runs and profile:
                profiler.enable()
            clock.enter(LOOP)
            clock.runs = True
            clock.leave()
            counted += len(batch)
        start(self, batch, batch_idx)

    def ended(self: TrainingModule) -> None:
        clock.enter(LOOP)
        clock.leave()
        clock.runs = False
        profiler.disable()
        end(self)

    TrainingModule.on_train_batch_start, TrainingModule.on_train_epoch_end = started, ended  # type: ignore[assignment, method-assign]
    changes = [f"_corpus={corpus}", f"run.output_dir={output}", f"trainer.epochs={epochs}"]
    if encoder:
        changes.append(f"_encoder={encoder}")
    info = train_from_configuration({**load_configuration(configuration, changes), "quiet": True})
    if profile:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(int(profile))
    return {
        "seconds": dict(clock.seconds),
        "segments": counted,
        "collate": collate_microseconds(info.model, Path(corpus), now),
        "peak_mb": peak_mb(),
        "metrics": info.best_metrics,
    }


def collate_microseconds(system: Any, corpus: Path, now: Callable[[], float]) -> dict[str, float]:
    """Return the time that collate takes per segment of the dev data, in batches of 32."""
    from kiwi.data.datasets.parts import InputConfig, TestConfig
    from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset

    texts = {"source": "src", "target": "mt", "alignments": "src-mt.alignments"}
    files: Any = {name: corpus / f"dev.{suffix}" for name, suffix in texts.items()}
    dataset = WMTQEDataset.read(TestConfig(input=InputConfig(**files)))
    rows = [dataset[index] for index in range(len(dataset))]
    pieces = system.collate.pieces
    if pieces is not None:  # one that has not seen these words
        kind = type(pieces)
        caps = {"target_max_pieces": pieces.caps[0], "source_max_pieces": pieces.caps[1]}
        system.collate.pieces = kind(pieces.tokenizer, pieces.room + pieces.template.length, **caps)
    taken: dict[str, float] = {}
    for name in ("new words", "known words"):
        start = now()
        for place in range(0, len(rows), 32):
            system.collate(rows[place : place + 32])
        taken[name] = 1e6 * (now() - start) / len(rows)
    return taken


def in_a_process(tree: Path, *arguments: str) -> dict[str, Any]:
    """Call :func:`child` in a process of its own, with the kiwi of a directory."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(tree)}
    command = [sys.executable, __file__, "child", *arguments]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def first_lines(corpus: Path, n_segments: int, folder: Path) -> Path:
    """Write a corpus with at most so many segments in each part, and return its directory."""
    folder.mkdir()
    for file in corpus.iterdir():
        lines = file.read_bytes().split(b"\n")[:n_segments]
        (folder / file.name).write_bytes(b"\n".join(lines).rstrip(b"\n") + b"\n")
    return folder


def report(name: str, runs: list[dict[str, Any]]) -> None:
    """Print the time of each part."""

    def median(value: Callable[[dict[str, Any]], float]) -> float:
        return statistics.median(value(run) for run in runs)

    def epoch(run: dict[str, Any]) -> float:
        return sum(float(seconds) for part, seconds in run["seconds"].items() if part != APART)

    print(f"{name}: {median(lambda run: run['segments'] / epoch(run)):.0f} segments/s ({len(runs)} runs)")
    for part in dict.fromkeys([*COMPUTING, *(part for run in runs for part in sorted(run["seconds"]))]):
        seconds = [run["seconds"].get(part, 0.0) for run in runs]
        each = statistics.median(1e6 * value / run["segments"] for value, run in zip(seconds, runs, strict=True))
        share = statistics.median(value / epoch(run) for value, run in zip(seconds, runs, strict=True))
        beside = "apart" if part == APART else f"{share:6.2%}"
        print(f"  {part:<17} {statistics.median(seconds):7.2f} s  {each:8.1f} us a segment  {beside}")
    computing = median(lambda run: sum(run["seconds"].get(part, 0.0) for part in COMPUTING) / epoch(run))
    print(f"  forward, backward and optimizer together: {computing:.2%}")
    for words in ("new words", "known words"):
        taken = statistics.median(run["collate"][words] for run in runs)
        print(f"  collate, {words}: {taken:.0f} us a segment")
    print(f"  peak {median(lambda run: run['peak_mb']):.0f} MB", flush=True)


def main() -> None:
    """Run the benchmark, and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="the directory of a language pair")
    parser.add_argument("--encoder", type=Path, help="a directory that kiwi encoder wrote; unset, NuQE is trained")
    parser.add_argument("--segments", type=int, default=7000, help="the maximum number of segments of each part")
    parser.add_argument("--epochs", type=int, default=2, help="the number of epochs, of which the last is measured")
    parser.add_argument("--repeats", type=int, default=3, help="the number of runs")
    parser.add_argument("--against", type=Path, help="the directory of another kiwi")
    parser.add_argument("--cpu-time", action="store_true", help="measure processor time instead of wall time")
    parser.add_argument("--profile", type=int, help="the number of functions of a profile to print")
    arguments = parser.parse_args()
    configuration = ROOT / "config" / ("transformer-tags.yaml" if arguments.encoder else "nuqe.yaml")
    encoder = str(arguments.encoder.resolve()) if arguments.encoder else ""
    trees = [arguments.against.resolve(), ROOT] if arguments.against else [ROOT]
    clock = "thread_time" if arguments.cpu_time else "perf_counter"
    with tempfile.TemporaryDirectory() as scratch:
        corpus = first_lines(arguments.corpus, arguments.segments, Path(scratch) / "corpus")

        def run(tree: Path, number: int) -> dict[str, Any]:
            output = f"{scratch}/{trees.index(tree)}-{number}"
            options = (str(corpus), encoder, str(arguments.epochs), str(arguments.profile or ""), clock)
            return in_a_process(tree, str(configuration), output, *options)

        if arguments.profile:
            run(trees[-1], 0)
            return
        runs: dict[Path, list[dict[str, Any]]] = {tree: [] for tree in trees}
        for number in range(arguments.repeats):
            for tree in trees:
                runs[tree].append(run(tree, number))
    for tree in trees:
        report(str(tree), runs[tree])
    if len(trees) == 2:
        same = all(before["metrics"] == after["metrics"] for before, after in zip(*runs.values(), strict=True))
        print(f"validation metrics of the pairs: {'the same' if same else 'NOT the same'}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        print(json.dumps(child(*sys.argv[2:])))
    else:
        main()
