"""The predictor: does pretraining help the estimator, what the softmax costs, and how both steps scale.

    python benchmarks/predictor.py quality --corpus /path/to/mlqe-pe/en-de [--seeds 42 43 44] [--test]
    python benchmarks/predictor.py softmax [--vocabulary 60000] [--repeats 5]
    python benchmarks/predictor.py scale [--lines 50000 5000000] [--steps 50]

``quality`` pretrains as config/predictor.yaml says on sources and post-edits, trains the estimator of
config/predictor-estimator.yaml with and without it, and NuQE of config/nuqe.yaml on the same data, and prints dev
figures of each seed, perplexities, segments a second and peak memory; with --test also figures on test20, of the first
seed. ``softmax`` compares a training step over a sample of the vocabulary with one over all of it, in pairs of runs,
and prints medians, their ratio, and how much of a step the softmax is. ``scale`` pretrains for a fixed number of steps
on generated lines, and prints the time to the first step and the memory that is the process's own. One thread; every
training is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from memory import peak_mb

ROOT = Path(__file__).resolve().parent.parent
METRICS = ("target_tags_MCC", "gap_tags_MCC", "PEARSON", "SPEARMAN")


def child_train(pipeline: str, config: str, output: str, *overrides: str) -> dict[str, Any]:
    """Pretrain or train in this process."""
    import torch

    torch.set_num_threads(1)
    from kiwi.lib.pretrain import pretrain_from_configuration
    from kiwi.lib.train import train_from_configuration
    from kiwi.lib.utils import load_configuration

    options = load_configuration(ROOT / "config" / config, [f"run.output_dir={output}", *overrides])
    start = time.perf_counter()
    info = (pretrain_from_configuration if pipeline == "pretrain" else train_from_configuration)(options)
    speeds = re.findall(r"trained on (\d+) segments/s", (Path(output) / "output.log").read_text(encoding="utf-8"))
    return {
        "minutes": (time.perf_counter() - start) / 60,
        "segments_per_second": statistics.median(map(float, speeds)),
        "peak_mb": peak_mb(),
        "metrics": {name.removeprefix("val_"): value for name, value in info.best_metrics.items()},
    }


def child_scale(lines: str, steps: str, folder: str) -> dict[str, Any]:
    """Pretrain for some steps on a corpus of so many generated lines, in this process."""
    import torch

    torch.set_num_threads(1)
    from kiwi.data.batch import QEBatch
    from kiwi.lib.pretrain import Configuration
    from kiwi.lib.utils import load_configuration
    from kiwi.systems.batching import as_tensors
    from kiwi.systems.tlm_system import TLMSystem

    corpus = Path(folder)
    files = [f"data.train.input.{side}={corpus}/train-{lines}.{side}" for side in ("source", "target")]
    files += [f"data.valid.input.{side}={corpus}/valid.{side}" for side in ("source", "target")]
    files += [f"system.load_vocabs={corpus}/vocabularies"] if (corpus / "vocabularies").exists() else []
    options = load_configuration(ROOT / "config" / "predictor.yaml", files)
    config = Configuration.from_dict(options)
    start = time.perf_counter()
    train, _ = TLMSystem.read_datasets(config.system, config.data, 42)
    indexed = time.perf_counter()
    system = TLMSystem.build(TLMSystem.resolve(config.system), train.columns)
    if not (corpus / "vocabularies").exists():
        system.save(corpus / "vocabularies")
    built = time.perf_counter()
    from kiwi.data.sampling import ShuffledBatches

    batches = iter(ShuffledBatches(system.lengths(train.columns), 64, buffer_size=config.data.buffer_size))
    optimizer = torch.optim.Adam(system.parameters(), lr=0.001)
    first = 0.0
    for _ in range(int(steps)):
        batch: QEBatch[torch.Tensor] = as_tensors(system.collate([train[index] for index in next(batches)]))
        system.losses(batch)["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        first = first or time.perf_counter()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = re.search(r"RssAnon:\s+(\d+) kB", status)
    return {
        "index": indexed - start,
        "vocabulary_and_model": built - indexed,
        "first_step": first - built,
        "rest": time.perf_counter() - first,
        "own_mb": int(own[1]) / 1024 if own else 0.0,
    }


def in_a_process(*arguments: object) -> dict[str, Any]:
    """The result of one of the functions above, run in a process of its own."""
    command = [sys.executable, __file__, "child", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def on_test(model: Path, corpus: Path) -> dict[str, float]:
    """Figures of a trained system on test20."""
    import torch

    torch.set_num_threads(1)
    import kiwi
    from kiwi.data.files.lines import read_lines
    from kiwi.lib.evaluate import evaluate_from_configuration

    source, target, alignments = (read_lines(corpus / f"test20.{name}") for name in ("src", "mt", "src-mt.alignments"))
    predictions = kiwi.load_system(model).predict(source, target, alignments, batch_size=64)
    with tempfile.TemporaryDirectory() as folder:
        predictions.save(Path(folder))
        gold = {"target_tags": f"{corpus}/test20.tags", "sentence_scores": f"{corpus}/test20.hter"}
        report = evaluate_from_configuration({"gold_files": gold, "predicted_dir": [folder], "quiet": True})
    tags = {f"{field}_MCC": report.metric(field, "MCC") for field in ("target_tags", "gap_tags")}
    return tags | {name: report.metric("sentence_scores", name) for name in ("PEARSON", "SPEARMAN")}


def listing(figures: dict[str, float]) -> str:
    """Figures in one line."""
    return ", ".join(f"{name} {figures[name]:.3f}" for name in METRICS)


def quality(corpus: Path, seeds: list[int], overrides: list[str], *, test: bool, keep: Path | None) -> None:
    """Pretraining or not, against NuQE."""
    with tempfile.TemporaryDirectory() as scratch:
        base = (keep or Path(scratch)).resolve()
        given = [f"_corpus={corpus}"]
        pretrained = in_a_process("train", "pretrain", "predictor.yaml", base / "predictor", *given)
        log = (base / "predictor" / "output.log").read_text(encoding="utf-8")
        perplexities = re.findall(r"target_PERP ([\d.]+)", log)
        print(
            f"pretraining: perplexity {' '.join(perplexities)}; {pretrained['minutes']:.1f} minutes, "
            f"{pretrained['segments_per_second']:.0f} segments/s, peak {pretrained['peak_mb']:.0f} MB",
            flush=True,
        )
        systems = {
            "pretrained": ("predictor-estimator.yaml", [f"_predictor={base}/predictor/best_model", *overrides]),
            "not pretrained": ("predictor-estimator.yaml", ["system.load_encoder=null", *overrides]),
            "NuQE": ("nuqe.yaml", []),
        }
        found: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
        for seed in seeds:
            for name, (config, options) in systems.items():
                output = base / f"{name.replace(' ', '-')}-{seed}"
                result = in_a_process("train", "train", config, output, *given, f"run.seed={seed}", *options)
                found[name].append(result["metrics"])
                print(
                    f"{name}, seed {seed}: {listing(result['metrics'])}; {result['minutes']:.1f} minutes, "
                    f"{result['segments_per_second']:.0f} segments/s, peak {result['peak_mb']:.0f} MB",
                    flush=True,
                )
        for name, runs in found.items():
            means = {metric: statistics.mean(run[metric] for run in runs) for metric in METRICS}
            print(f"{name}, mean of {len(runs)}: {listing(means)}")
            if test:
                model = base / f"{name.replace(' ', '-')}-{seeds[0]}" / "best_model"
                print(f"{name}, test20, seed {seeds[0]}: {listing(on_test(model, corpus))}")


def softmax(vocabulary: int, repeats: int) -> None:
    """What the output layer costs in a step of training, sampled and exact, and what it costs besides."""
    import torch

    torch.set_num_threads(1)
    from kiwi.data.text.vocabulary import Vocabulary
    from kiwi.systems.batching import as_tensors
    from kiwi.systems.tlm_system import TLMSystem

    words = [f"w{i}" for i in range(vocabulary)]
    vocabularies = {"source": Vocabulary.of(words), "target": Vocabulary.of(words)}
    generator = torch.Generator().manual_seed(1)
    text = [" ".join(words[int(i)] for i in torch.randint(vocabulary, (25,), generator=generator)) for _ in range(64)]
    encoder = {"hidden_size": 200, "rnn_layers": 1, "embeddings": {"source": {"dim": 100}, "target": {"dim": 100}}}
    times: dict[int, list[float]] = {4096: [], 0: []}
    without: list[float] = []
    for _ in range(repeats):
        for samples, found in times.items():
            options = {"class_name": "Predictor", "model": {"encoder": {**encoder, "sampled_words": samples}}}
            config = TLMSystem.resolve(TLMSystem.Config.from_dict(options))
            system = TLMSystem("Predictor", config.model, vocabularies)
            batch = as_tensors(system.collate([{"source": line, "target": line} for line in text]))
            system.losses(batch)["loss"].backward()  # type: ignore[no-untyped-call]
            start = time.perf_counter()
            system.losses(batch)["loss"].backward()  # type: ignore[no-untyped-call]
            found.append(time.perf_counter() - start)
            if samples:
                start = time.perf_counter()
                system.encoder.language_model(batch).states.sum().backward()  # type: ignore[no-untyped-call]
                without.append(time.perf_counter() - start)
    sampled, exact, rest = (statistics.median(runs) for runs in (times[4096], times[0], without))
    print(f"vocabulary of {vocabulary} words, 64 segments of 25 words, forward and backward, {repeats} pairs:")
    print(f"  without the softmax {rest:.3f} s; sampled {sampled:.3f} s ({1 - rest / sampled:.0%} of it the softmax)")
    print(f"  exact {exact:.3f} s ({1 - rest / exact:.0%}); exact / sampled {exact / sampled:.2f}")
    logits = 64 * 25 * 4 / 2**20
    print(f"  logits: {logits * vocabulary:.0f} MB exact, at most {logits * 4097:.0f} MB sampled")


def generate(path: Path, lines: int) -> None:
    """So many lines of 20 words, frequent ones more often, in both languages."""
    import numpy as np

    generator = np.random.default_rng(lines)
    for side in ("source", "target"):
        with path.with_name(f"{path.name}.{side}").open("w", encoding="utf-8") as file:
            for start in range(0, lines, 50_000):
                size = min(50_000, lines - start)
                ranks = np.minimum(generator.zipf(1.3, (size, 20)), 60_000)
                file.writelines(" ".join(f"{side[0]}{rank}" for rank in row) + "\n" for row in ranks.tolist())


def scale(sizes: list[int], steps: int) -> None:
    """The same number of steps on corpora of different size."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "valid", 1000)
        for lines in sizes:
            generate(Path(folder) / f"train-{lines}", lines)
            megabytes = sum(file.stat().st_size for file in Path(folder).glob(f"train-{lines}.*")) / 2**20
            result = in_a_process("scale", lines, steps, folder)
            print(
                f"{lines} lines, {megabytes:.0f} MB: index {result['index']:.1f} s, vocabularies and model "
                f"{result['vocabulary_and_model']:.1f} s, to the end of the first step {result['first_step']:.1f} s, "
                f"{steps - 1} more {result['rest']:.1f} s; memory of its own {result['own_mb']:.0f} MB",
                flush=True,
            )


def main() -> None:
    """Run what is asked for, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    parts = {name: commands.add_parser(name) for name in ("quality", "softmax", "scale")}
    parts["quality"].add_argument("--corpus", type=Path, required=True, help="directory of a language pair")
    parts["quality"].add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parts["quality"].add_argument("--set", nargs="*", default=[], help="overrides of the estimator")
    parts["quality"].add_argument("--test", action="store_true", help="evaluate on test20 too")
    parts["quality"].add_argument("--keep", type=Path, help="directory to keep the runs in")
    parts["softmax"].add_argument("--vocabulary", type=int, default=60_000)
    parts["softmax"].add_argument("--repeats", type=int, default=5)
    parts["scale"].add_argument("--lines", type=int, nargs="+", default=[50_000, 5_000_000])
    parts["scale"].add_argument("--steps", type=int, default=50)
    given = parser.parse_args()
    if given.command == "quality":
        quality(given.corpus.resolve(), given.seeds, given.set, test=given.test, keep=given.keep)
    elif given.command == "softmax":
        softmax(given.vocabulary, given.repeats)
    else:
        scale(given.lines, given.steps)


if __name__ == "__main__":
    if sys.argv[1:3] == ["child", "train"]:
        print(json.dumps(child_train(*sys.argv[3:])))
    elif sys.argv[1:3] == ["child", "scale"]:
        print(json.dumps(child_scale(*sys.argv[3:])))
    else:
        main()
