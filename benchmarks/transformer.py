"""Quality, time and memory of a fine-tuned encoder on language pairs of MLQE-PE.

    python benchmarks/transformer.py --data /path/to/mlqe-pe --encoder DIR --pairs ro-en et-en [--test]
    python benchmarks/transformer.py --data /path/to/mlqe-pe --encoder DIR --pairs en-de --tags [--test]

Trains as config/transformer.yaml says (DA z-scores of untokenized text), or with --tags as config/transformer-tags.yaml
(HTER and tags), one system a pair, each in a process of its own with one thread, and prints dev figures of the best
model, minutes and peak memory; with --test also figures on test20, on which nothing may be chosen.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def train(config: str, corpus: str, encoder: str, output: str, *overrides: str) -> dict[str, Any]:
    """Train in this process."""
    import torch

    torch.set_num_threads(1)
    from kiwi.lib.train import train_from_configuration
    from kiwi.lib.utils import load_configuration

    start = time.perf_counter()
    options = [f"_corpus={corpus}", f"_encoder={encoder}", f"run.output_dir={output}", *overrides]
    info = train_from_configuration(load_configuration(ROOT / "config" / config, options))
    return {
        "minutes": (time.perf_counter() - start) / 60,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "metrics": {name.removeprefix("val_"): value for name, value in info.best_metrics.items()},
    }


def in_a_process(*arguments: str) -> dict[str, Any]:
    """:func:`train` in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "train", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def on_test(model: Path, corpus: Path, *, tags: bool) -> dict[str, float]:
    """Figures of a trained system on test20."""
    import torch

    torch.set_num_threads(1)
    import kiwi
    from kiwi.data.readers import read_lines
    from kiwi.lib.evaluate import evaluate_from_configuration

    raw = "" if tags else "raw."
    source, target = (read_lines(corpus / f"test20.{raw}{side}") for side in ("src", "mt"))
    predictions = kiwi.load_system(model).predict(source, target, batch_size=32)
    predicted = model.parent / "test20"
    predicted.mkdir(exist_ok=True)
    predictions.save(predicted)
    suffixes = {"sentence_scores": "da"}
    if tags:
        suffixes = {"sentence_scores": "hter", "target_tags": "tags", "source_tags": "source_tags"}
    gold = {field: str(corpus / f"test20.{suffix}") for field, suffix in suffixes.items()}
    report = evaluate_from_configuration({"gold_files": gold, "predicted_dir": [str(predicted)], "quiet": True})
    figures = {name: report.metric("sentence_scores", name) for name in ("PEARSON", "SPEARMAN")}
    if tags:
        figures |= {f"{field}_MCC": report.metric(field, "MCC") for field in ("target_tags", "gap_tags", "source_tags")}
    return figures


def main() -> None:
    """Run everything, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory with a folder for each pair")
    parser.add_argument("--encoder", type=Path, required=True, help="what kiwi encoder wrote")
    parser.add_argument("--pairs", nargs="+", required=True, help="such as ro-en et-en")
    parser.add_argument("--tags", action="store_true", help="HTER and tags instead of DA")
    parser.add_argument("--test", action="store_true", help="evaluate on test20 too")
    parser.add_argument("--keep", type=Path, help="directory to keep the runs in")
    parser.add_argument("--set", nargs="*", default=[], help="overrides, such as trainer.epochs=2")
    arguments = parser.parse_args()
    config = "transformer-tags.yaml" if arguments.tags else "transformer.yaml"
    names = ["target_tags_MCC", "gap_tags_MCC", "source_tags_MCC"] if arguments.tags else []
    with tempfile.TemporaryDirectory() as scratch:
        for pair in arguments.pairs:
            corpus = (arguments.data / pair).resolve()
            output = (arguments.keep or Path(scratch)).resolve() / pair
            result = in_a_process(config, str(corpus), str(arguments.encoder.resolve()), str(output), *arguments.set)
            figures = {name: result["metrics"][name] for name in (*names, "PEARSON", "SPEARMAN")}
            print(f"{pair}: {result['minutes']:.1f} minutes, peak {result['peak_mb']:.0f} MB")
            print("  dev:    " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
            if arguments.test:
                figures = on_test(output / "best_model", corpus, tags=arguments.tags)
                print("  test20: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        print(json.dumps(train(*sys.argv[2:])))
    else:
        main()
