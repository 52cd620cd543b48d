"""Compare two systems on the same test data: is one really better, or is the difference chance?

    python examples/evaluate_two_systems.py [DIRECTORY]

Two small systems are trained, which differ in the width of their windows, and predict the test part of the sample.
Then they are evaluated together: figures with 95 % intervals, tests with corrected p-values, ranks, and an HTML page.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.predict import predict_to_files
from kiwi.lib.train import train_from_configuration
from kiwi.lib.utils import example_configuration, load_configuration
from kiwi.metrics.report import ENSEMBLE


def train_and_predict(window_size: int, directory: Path) -> Path:
    """Train a system with this window, and return the directory of its predictions."""
    changes = [f"run.output_dir={directory}", "trainer.epochs=6", "quiet=true"]
    changes += ["system.optimizer.learning_rate=0.006", f"system.model.encoder.window_size={window_size}"]
    train_from_configuration(load_configuration(example_configuration("train"), changes))

    predictions = directory / "predictions"
    changes = [f"run.output_dir={predictions}", f"system.load={directory}/best_model", "quiet=true"]
    predict_to_files(load_configuration(example_configuration("predict"), changes))
    return predictions


def main(directory: Path) -> None:
    """Print the figures of both systems and of their average, and whether they differ significantly."""
    systems = {f"window-{size}": train_and_predict(size, directory / f"window-{size}") for size in (1, 3)}

    options = load_configuration(example_configuration("evaluate"))
    options["predicted_dir"] = list(systems.values())
    options["output"] = {"report": directory / "comparison.html"}
    options["quiet"] = True
    report = evaluate_from_configuration(options)

    for row in report.of("sentence_scores"):
        low, high = row.intervals["PEARSON"]
        print(f"{row.system}: Pearson {row.metrics['PEARSON']:.3f} (95 %: {low:.3f} to {high:.3f})")
    for rank, group in enumerate(report.clusters["sentence_scores"], start=1):
        print(f"rank {rank}: {', '.join(group)}")
    for each in report.comparisons:
        if ENSEMBLE not in (each.better, each.worse):
            p = ", ".join(f"{test} p={value:.3f}" for test, value in each.p.items())
            print(f"{each.output}: {each.better} is better by {each.difference:.3f} {each.metric} ({p})")
    print(f"wrote {directory / 'comparison.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example-evaluate_two_systems"))
