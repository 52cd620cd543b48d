"""Search for hyperparameters on one language pair of MLQE-PE, and measure what ending bad trials early saves.

    python benchmarks/search.py --corpus /path/to/mlqe-pe/en-de [--trials 20] [--epochs 4] [--workers 1] [--test]

The program searches options of config/nuqe.yaml with short trials and trains the default configuration for as long as
a trial. It prints the best trial, how many trials ended early, and the share of all validations that this saved. It
evaluates both systems on dev, on which the search chose, and with --test on test20, which the search never saw.
--directory keeps the search, and resumes one that exists.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from nuqe import CONFIG, evaluate

RANGES: dict[str, Any] = {
    "validation_steps": 0.5,
    "patience": 0,
    "learning_rate": {"lower": 3e-4, "upper": 1e-2, "distribution": "loguniform"},
    "dropout": {"lower": 0.0, "upper": 0.4, "step": 0.1},
    "warmup_steps": [0.0, 0.1, 0.2],
    "class_weights": {"target_tags": {"lower": 2.0, "upper": 8.0}, "gap_tags": {"lower": 8.0, "upper": 30.0}},
    "sentence_loss_weight": {"lower": 0.5, "upper": 4.0},
    "space": {"system.batch_size": [32, 64, 128], "system.model.encoder.window_size": [3, 5, 7]},
}


def format_metrics(model: Path, corpus: Path, part: str, output: Path) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in evaluate(model, corpus, part, output).items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pruner", default="median", choices=["median", "hyperband", "none"])
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--test", action="store_true", help="evaluate on test20 too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        compare(arguments, arguments.directory or Path(temporary))


def compare(arguments: argparse.Namespace, place: Path) -> None:
    import torch

    torch.set_num_threads(1)
    from kiwi.lib.search import search_from_configuration
    from kiwi.lib.search.report import savings
    from kiwi.lib.train import train_from_configuration
    from kiwi.lib.utils import load_configuration

    base = load_configuration(CONFIG, [f"_corpus={arguments.corpus}", f"trainer.epochs={arguments.epochs}"])
    start = time.perf_counter()
    info = search_from_configuration(
        {
            "base_config": base,
            "directory": str(place),
            "search_name": "nuqe",
            "num_trials": arguments.trials,
            "num_models_to_keep": 1,
            "num_workers": arguments.workers,
            "options": {**RANGES, "pruner": arguments.pruner},
        }
    )
    seconds = time.perf_counter() - start
    trials = info.study.trials[: arguments.trials]
    n_early, share = savings(trials)
    print(
        f"search: {seconds:.0f} s, {len(trials)} trials, {n_early} ended early, which saved {share:.0%} of validations"
    )
    done = [trial.duration.total_seconds() for trial in trials if trial.state.name == "COMPLETE"]
    early = [trial.duration.total_seconds() for trial in trials if trial.state.name == "PRUNED"]
    saved = sum(sum(done) / len(done) - each for each in early)
    print(f"trials: {sum(done) + sum(early):.0f} s; without ending trials early about {saved:.0f} s more")
    print(f"best trial: {info.best_trial}, {info.best_value:.4f}, {info.best_options}")

    checkpoint = {**base["trainer"]["checkpoint"], "validation_steps": RANGES["validation_steps"]}
    default = {
        **base,
        "run": {**base["run"], "output_dir": str(place / "default")},
        "trainer": {**base["trainer"], "checkpoint": checkpoint},
    }
    trained = train_from_configuration(default)
    main_metric = sum(trained.best_metrics[f"val_{name}"] for name in base["trainer"]["main_metric"])
    print(f"default: {main_metric:.4f}")
    models = {"default": place / "default" / "best_model"}
    models["best"] = info.directory / f"trial_{info.best_trial}" / "best_model"
    for part in ("dev", *(("test20",) if arguments.test else ())):
        for name, model in models.items():
            print(f"{part}, {name}: {format_metrics(model, arguments.corpus, part, place / f'{part}-{name}')}")


if __name__ == "__main__":
    main()
