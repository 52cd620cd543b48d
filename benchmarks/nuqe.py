"""Speed, memory and quality of NuQE on one language pair of MLQE-PE.

    python benchmarks/nuqe.py --corpus /path/to/mlqe-pe/en-de [--encoder DIR] [--repeats 3] [--epochs 10] [--test]

Trains as config/nuqe.yaml says, with --encoder on vectors that kiwi vectors writes for the words of the training data
and of the dev inputs (words of test20 stay unknown), and prints: training and prediction in segments a second, and the
share of this machine's matrix rate that they are (measured before and after each run, one thread); peak memory of the
processes; quality on dev, and with --test on test20; and what a user of the command line waits for. Every run is a
process of its own; figures are medians of the repeats.
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
CONFIG = ROOT / "config" / "nuqe.yaml"
PREDICT_CONFIG = ROOT / "config" / "predict.yaml"


def matrix_rate() -> float:
    """Multiply-adds a second of single precision matrix products, in the sizes that NuQE has."""
    import torch

    rates = []
    a, b = torch.randn(1024, 400), torch.randn(400, 600)
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        rates.append(10 * 1024 * 400 * 600 / (time.perf_counter() - start))
    return statistics.median(rates)


def multiply_adds(model: Path, corpus: Path) -> float:
    """Multiply-adds of a forward pass for the mean segment: each weight matrix once a word, or once a segment."""
    from kiwi.data.files.lines import read_lines
    from kiwi.data.text.words import words
    from kiwi.systems.qe_system import QESystem

    system = QESystem.load(model)
    lengths = [len(words(line)) for line in read_lines(corpus / "dev.mt")]
    n_words = statistics.mean(lengths)
    total = 0.0
    for name, weight in system.named_parameters():
        if weight.dim() == 2 and "embeddings" not in name:
            total += weight.numel() * (1.0 if "sentence_scores" in name or "binary" in name else n_words)
    return total


def child_predict(model: Path, corpus: Path) -> dict[str, float]:
    """Predict dev and train segments in this process."""
    import torch

    torch.set_num_threads(1)
    import kiwi
    from kiwi.data.files.lines import read_lines

    runner = kiwi.load_system(model)
    names = ("src", "mt", "src-mt.alignments")
    source, target, alignments = (read_lines(corpus / f"dev.{name}") * 4 for name in names)
    runner.predict(source[:64], target[:64], alignments[:64], batch_size=64)
    before = matrix_rate()
    start = time.perf_counter()
    runner.predict(source, target, alignments, deduplicate=False)
    seconds = time.perf_counter() - start
    rate = statistics.mean([before, matrix_rate()])
    return {"segments_per_second": len(source) / seconds, "matrix_rate": rate, "peak_mb": peak_mb()}


def child_vectors(encoder: Path, corpus: Path, directory: Path) -> dict[str, float]:
    """Vectors of the words that a system will meet in training and on dev, in this process."""
    import torch

    torch.set_num_threads(1)
    from kiwi.lib.pretrained.vectors import write_vectors

    start = time.perf_counter()
    for side, files in {"source": ("train.src", "dev.src"), "target": ("train.mt", "train.pe", "dev.mt")}.items():
        write_vectors(encoder, directory / f"{side}.txt", [corpus / file for file in files])
    return {"seconds": time.perf_counter() - start, "peak_mb": peak_mb()}


def child_train(corpus: Path, output: Path, epochs: int, seed: int, vectors: Path | None) -> dict[str, Any]:
    """Train in this process."""
    import torch

    torch.set_num_threads(1)
    from kiwi.lib.train import train_from_configuration
    from kiwi.lib.utils import load_configuration

    before = matrix_rate()
    overrides = [f"_corpus={corpus}", f"run.output_dir={output}", f"run.seed={seed}", f"trainer.epochs={epochs}"]
    if vectors is not None:
        overrides += ["embeddings=pretrained", f"_vectors={vectors}"]
    info = train_from_configuration(load_configuration(CONFIG, overrides))
    rate = statistics.mean([before, matrix_rate()])
    epochs_log = re.findall(r"trained on (\d+) segments/s", (output / "output.log").read_text(encoding="utf-8"))
    return {
        "segments_per_second": statistics.median(float(value) for value in epochs_log),
        "matrix_rate": rate,
        "peak_mb": peak_mb(),
        "metrics": {name: value for name, value in info.best_metrics.items() if "loss" not in name},
    }


def in_a_process(*arguments: object) -> dict[str, Any]:
    """The result of one of the functions above, run in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def seconds_of(command: list[str], repeats: int) -> float:
    """Median wall time of a command."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def median_of(runs: list[dict[str, Any]], key: str) -> float:
    """Median of a figure over runs."""
    return float(statistics.median(run[key] for run in runs))


def predict_command(model: Path, corpus: Path, part: str, output: Path) -> list[str]:
    """``kiwi predict`` on a part of the corpus."""
    inputs = {"source": "src", "target": "mt", "alignments": "src-mt.alignments"}
    files = [f"data.test.input.{field}={corpus}/{part}.{suffix}" for field, suffix in inputs.items()]
    options = [f"system.load={model}", f"run.output_dir={output}", *files]
    return [sys.executable, "-m", "kiwi", "predict", str(PREDICT_CONFIG), *options, "-q"]


def evaluate(model: Path, corpus: Path, part: str, output: Path) -> dict[str, float]:
    """Figures of the system on a part of the corpus."""
    from kiwi.lib.evaluate import evaluate_from_configuration

    subprocess.run(predict_command(model, corpus, part, output), check=True)
    gold = {"target_tags": f"{corpus}/{part}.tags", "sentence_scores": f"{corpus}/{part}.hter"}
    report = evaluate_from_configuration({"gold_files": gold, "predicted_dir": [str(output)], "quiet": True})
    return {
        "target MCC": report.metric("target_tags", "MCC"),
        "gap MCC": report.metric("gap_tags", "MCC"),
        "WMT19 MCC": report.metric("WMT19", "MCC"),
        "HTER Pearson": report.metric("sentence_scores", "PEARSON"),
        "HTER Spearman": report.metric("sentence_scores", "SPEARMAN"),
        "HTER RMSE": report.metric("sentence_scores", "RMSE"),
    }


def report_speed(name: str, runs: list[dict[str, Any]], work: float) -> None:
    """One line: segments a second, share of the matrix rate, memory."""
    rate = median_of(runs, "segments_per_second")
    share = statistics.median(run["segments_per_second"] * work / run["matrix_rate"] for run in runs)
    print(
        f"{name:<12} {rate:7.0f} segments/s   {share:5.0%} of {2 * median_of(runs, 'matrix_rate') / 1e9:.0f} GFLOPS"
        f"   peak {median_of(runs, 'peak_mb'):.0f} MB   ({len(runs)} runs)"
    )


def main() -> None:
    """Run everything, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="directory of a language pair")
    parser.add_argument("--encoder", type=Path, help="pretrained encoder for word vectors; without, they are learned")
    parser.add_argument("--repeats", type=int, default=3, help="runs behind each speed")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each training")
    parser.add_argument("--seed", type=int, default=42, help="seed of the first training; the next ones count on")
    parser.add_argument("--test", action="store_true", help="evaluate on test20 too")
    parser.add_argument("--keep", type=Path, help="directory to keep the runs in")
    arguments = parser.parse_args()
    corpus = arguments.corpus.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        base = arguments.keep or Path(scratch)
        runs = [base / f"train-{index}" for index in range(arguments.repeats)]
        vectors = []
        if arguments.encoder:
            vectors = [base.resolve() / "vectors"]
            wrote = in_a_process("vectors", arguments.encoder.resolve(), corpus, vectors[0])
            print(f"word vectors: {wrote['seconds']:.0f} s, peak {wrote['peak_mb']:.0f} MB")
        trained = [
            in_a_process("train", corpus, run, arguments.epochs, arguments.seed + index, *vectors)
            for index, run in enumerate(runs)
        ]
        model = runs[0] / "best_model"
        predicted = [in_a_process("predict", model, corpus) for _ in range(arguments.repeats)]
        work = multiply_adds(model, corpus)
        print(f"forward pass of a mean segment: {work / 1e6:.1f} M multiply-adds; training counts three of them")
        report_speed("training", trained, 3 * work)
        report_speed("prediction", predicted, work)
        for index, run in enumerate(runs):
            figures = evaluate(run / "best_model", corpus, "dev", base / f"dev-{index}")
            print(f"dev, seed {arguments.seed + index}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))
        if arguments.test:
            figures = evaluate(model, corpus, "test20", base / "test20")
            print(f"test20, seed {arguments.seed}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))
        ten = base / "ten"
        ten.mkdir(parents=True, exist_ok=True)
        for suffix in ("src", "mt", "src-mt.alignments"):
            lines = (corpus / f"dev.{suffix}").read_text(encoding="utf-8").split("\n")[:10]
            (ten / f"dev.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        waits = {
            "kiwi --help": [sys.executable, "-m", "kiwi", "--help"],
            "import kiwi": [sys.executable, "-c", "import kiwi"],
            "kiwi predict, 10 segments": predict_command(model, ten, "dev", base / "ten-predicted"),
        }
        for name, command in waits.items():
            print(f"{name}: {seconds_of(command, arguments.repeats):.2f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        corpus_given, output_given, epochs_given, seed_given, *vectors_given = sys.argv[2:]
        of_vectors = Path(vectors_given[0]) if vectors_given else None
        result = child_train(Path(corpus_given), Path(output_given), int(epochs_given), int(seed_given), of_vectors)
        print(json.dumps(result))
    elif sys.argv[1:2] == ["vectors"]:
        print(json.dumps(child_vectors(*map(Path, sys.argv[2:]))))
    elif sys.argv[1:2] == ["predict"]:
        print(json.dumps(child_predict(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main()
