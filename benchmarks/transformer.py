"""Quality, time and memory of a fine-tuned encoder on language pairs of MLQE-PE.

    python benchmarks/transformer.py --data /path/to/mlqe-pe --encoder DIR --pairs ro-en et-en [--test]
    python benchmarks/transformer.py --data /path/to/mlqe-pe --encoder DIR --pairs en-de en-zh --tags [--test]
    python benchmarks/transformer.py --data /path/to/mlqe-pe --encoder DIR --pairs en-de ... ru-en --joint [--test]

Trains as config/transformer.yaml says (DA z-scores of untokenized text), or with --tags as config/transformer-tags.yaml
(HTER and tags). One system a pair; with --joint, first one system for all of the pairs together, which is evaluated on
each, then one a pair from it, as config/adapt.yaml says. Each training is a process of its own with one thread. Prints
dev figures of the best models, minutes and peak memory; with --test also figures on test20, on which nothing may be
chosen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from memory import peak_mb

ROOT = Path(__file__).resolve().parent.parent


PARTS = ("train", "dev")
SUFFIXES = ("raw.src", "raw.mt", "da", "src", "mt", "tags", "source_tags", "hter", "src-mt.alignments")


def train(config: str, output: str, *overrides: str) -> dict[str, Any]:
    """Train in this process."""
    import torch

    torch.set_num_threads(1)
    from kiwi.lib.train import train_from_configuration
    from kiwi.lib.utils import load_configuration

    start = time.perf_counter()
    options = [f"run.output_dir={output}", *overrides]
    info = train_from_configuration(load_configuration(ROOT / "config" / config, options))
    return {
        "minutes": (time.perf_counter() - start) / 60,
        "peak_mb": peak_mb(),
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


def concatenate(data: Path, pairs: list[str], folder: Path) -> Path:
    """The training and development data of all pairs, one after the other."""
    folder.mkdir(parents=True)
    for part in PARTS:
        for suffix in SUFFIXES:
            texts = [(data / pair / f"{part}.{suffix}").read_bytes() for pair in pairs]
            (folder / f"{part}.{suffix}").write_bytes(b"".join(texts))
    # The configurations name test files too; nothing is predicted on these.
    for suffix in SUFFIXES:
        (folder / f"test20.{suffix}").write_bytes((folder / f"dev.{suffix}").read_bytes())
    return folder


def evaluate(model: Path, corpus: Path, part: str, *, tags: bool) -> str:
    """Figures of a trained system on a part of a pair's data."""
    import torch

    torch.set_num_threads(1)
    import kiwi
    from kiwi.data.files.lines import read_lines
    from kiwi.lib.evaluate import evaluate_from_configuration

    raw = "" if tags else "raw."
    source, target = (read_lines(corpus / f"{part}.{raw}{side}") for side in ("src", "mt"))
    predictions = kiwi.load_system(model).predict(source, target, batch_size=32)
    with tempfile.TemporaryDirectory() as predicted:
        predictions.save(Path(predicted))
        suffixes = {"sentence_scores": "da"}
        if tags:
            suffixes = {"sentence_scores": "hter", "target_tags": "tags", "source_tags": "source_tags"}
        gold = {field: str(corpus / f"{part}.{suffix}") for field, suffix in suffixes.items()}
        report = evaluate_from_configuration({"gold_files": gold, "predicted_dir": [predicted], "quiet": True})
    figures = {name: report.metric("sentence_scores", name) for name in ("PEARSON", "SPEARMAN")}
    if tags:
        figures |= {f"{field}_MCC": report.metric(field, "MCC") for field in ("target_tags", "gap_tags", "source_tags")}
    return ", ".join(f"{name} {value:.3f}" for name, value in figures.items())


def main() -> None:
    """Run everything, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory with a folder for each pair")
    parser.add_argument("--encoder", type=Path, required=True, help="what kiwi encoder wrote")
    parser.add_argument("--pairs", nargs="+", required=True, help="such as ro-en et-en")
    parser.add_argument("--tags", action="store_true", help="HTER and tags instead of DA")
    parser.add_argument("--joint", action="store_true", help="one system for all pairs first, and each pair from it")
    parser.add_argument("--test", action="store_true", help="evaluate on test20 too")
    parser.add_argument("--keep", type=Path, help="directory to keep the runs in; what is there is not repeated")
    parser.add_argument("--set", nargs="*", default=[], help="overrides of the first training: trainer.epochs=2")
    arguments = parser.parse_args()
    data = arguments.data.resolve()
    config, group = ("transformer-tags.yaml", "mlqe-pe") if arguments.tags else ("transformer.yaml", "mlqe-pe-da")
    metrics = ["target_tags_MCC", "gap_tags_MCC", "source_tags_MCC"] if arguments.tags else []
    adapt = [f"data={group}", f"trainer.main_metric=[{','.join([*metrics, 'PEARSON'])}]"]
    fresh = [f"_encoder={arguments.encoder.resolve()}", *arguments.set]
    parts = ("dev", "test20") if arguments.test else ("dev",)

    def run(name: str, config: str, corpus: Path, *overrides: str) -> Path:
        """Train if it was not, and say what it took."""
        output = base / name
        if not (output / "best_model").exists():
            result = in_a_process(config, str(output), f"_corpus={corpus}", *overrides)
            print(f"{name}: {result['minutes']:.1f} minutes, peak {result['peak_mb']:.0f} MB", flush=True)
        return output / "best_model"

    with tempfile.TemporaryDirectory() as scratch:
        base = (arguments.keep or Path(scratch)).resolve()
        if arguments.joint:
            joint = run("joint", config, concatenate(data, arguments.pairs, Path(scratch) / "data"), *fresh)
        for pair in arguments.pairs:
            if arguments.joint:
                for part in parts:
                    print(
                        f"  joint, {pair} {part}: {evaluate(joint, data / pair, part, tags=arguments.tags)}", flush=True
                    )
                model = run(pair, "adapt.yaml", data / pair, f"_trained={joint}", *adapt)
            else:
                model = run(pair, config, data / pair, *fresh)
            for part in parts:
                print(f"  {pair} {part}: {evaluate(model, data / pair, part, tags=arguments.tags)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        print(json.dumps(train(*sys.argv[2:])))
    else:
        main()
