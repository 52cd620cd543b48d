"""What a system gains by being trained further on few segments of one's own: a table and a picture.

    python benchmarks/adapt.py MODEL CORPUS OUT [--sizes 500,2000,7000] [--segments 1000] [--set trainer.epochs=2 ...]

CORPUS is a language pair of MLQE-PE with direct assessments of untokenized text, such as mlqe-pe/et-en. The system is
trained on the first 500 (and so on) training segments as config/adapt.yaml says, and measured on the first development
segments; the best checkpoint is chosen on the last 200, which are not measured. The test data is not read. OUT gets
``adapt.md``, ``adapt.svg``, ``adapt.json`` and the runs; what is there is not repeated, and a training goes on where it
was interrupted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import kiwi
from kiwi.data.files.lines import read_lines
from kiwi.lib.utils import load_configuration
from kiwi.metrics import functions
from kiwi.metrics.confidence import bootstrap, interval
from kiwi.pages.svg import Chart, bounds, stack
from kiwi.training.learning_curve import LAYOUT, STYLE

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = ("raw.src", "raw.mt", "da")
CHOOSING = 200
"""The number of development segments on which the best checkpoint is chosen."""

METRICS = {"Pearson": functions.pearson, "Spearman": functions.spearman}

Figures = dict[str, tuple[float, float, float]]
"""Each metric with the ends of its 95 % interval."""


def write_parts(corpus: Path, directory: Path, size: int) -> None:
    """Write the segments to train on, and those to choose on, under the names of MLQE-PE."""
    directory.mkdir(parents=True, exist_ok=True)
    for suffix in SUFFIXES:
        for part, chosen in (("train", slice(size)), ("dev", slice(-CHOOSING, None))):
            lines = read_lines(corpus / f"{part}.{suffix}")[chosen]
            (directory / f"{part}.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")


def adapt(model: str, corpus: Path, directory: Path, size: int, overrides: list[str]) -> Path:
    """Train a system further, or resume its training, and return its best checkpoint."""
    run = directory / "run"
    if not (run / "run.json").exists() or json.loads((run / "run.json").read_text())["status"] != "finished":
        write_parts(corpus, directory, size)
        options = [f"_trained={model}", f"_corpus={directory}", "data=mlqe-pe-da", "data.test=null", *overrides]
        options += [f"run.output_dir={run}", f"trainer.resume={str((run / 'resume.safetensors').exists()).lower()}"]
        kiwi.train_from_configuration(load_configuration(ROOT / "config" / "adapt.yaml", options))
    return run / "best_model"


def measure(model: str | Path, corpus: Path, n_segments: int) -> Figures:
    """Compare the scores of a system with direct assessments of development segments."""
    source, target, gold = (read_lines(corpus / f"dev.{suffix}")[:-CHOOSING][:n_segments] for suffix in SUFFIXES)
    expected = np.array([float(score) for score in gold])
    found = np.array(kiwi.load_system(model).predict(source, target, batch_size=32).sentence_scores)

    def of_sample(indices: NDArray[np.int64]) -> Mapping[str, float]:
        return {name: metric(expected[indices], found[indices]) for name, metric in METRICS.items()}

    samples = bootstrap(of_sample, len(expected))
    return {name: (metric(expected, found), *interval(samples[name])) for name, metric in METRICS.items()}


def page(figures: Mapping[int, Figures], name: str) -> str:
    """Return the figures as a table of Markdown, and a link to their picture."""
    lines = [f"| segments of {name} | {' | '.join(METRICS)} |", "|---:|" + "---:|" * len(METRICS)]
    for size, own in sorted(figures.items()):
        cells = (f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in own.values())
        lines.append(f"| {size or 'none'} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n![the same as a picture](adapt.svg)\n"


def draw(figures: Mapping[int, Figures], name: str) -> str:
    """Return the figures as an SVG file, with bars of the 95 % intervals."""
    sizes = sorted(figures)
    values = [value for own in figures.values() for triple in own.values() for value in triple]
    chart = Chart(
        (-0.02 * max(sizes), 1.02 * max(sizes)),
        bounds(values, 0.08),
        "segments that it was trained further on",
        "correlation",
        f"Correlation with direct assessments of {name} by the number of segments.",
        x_is_count=True,
        title=f"{name}, development data",
        legend=[(f"line color{number}", metric) for number, metric in enumerate(METRICS)],
        layout=LAYOUT,
    )
    for number, metric in enumerate(METRICS):
        chart.line([(size, figures[size][metric][0]) for size in sizes], f"line color{number}", marks=True)
        for size in sizes:
            _, low, high = figures[size][metric]
            place = size + (2 * number - 1) * max(sizes) * 0.003  # beside that of the other metric
            chart.line([(place, low), (place, high)], f"line color{number}")
    return stack([chart], STYLE)


def main() -> None:
    """Train, measure, and write what was found so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a checkpoint, an export, or the name of an installed model")
    parser.add_argument("corpus", type=Path, help="a language pair of MLQE-PE")
    parser.add_argument("out", type=Path, help="the directory to write")
    parser.add_argument("--sizes", default="500,2000,7000", help="numbers of training segments, separated by commas")
    parser.add_argument("--segments", type=int, default=1000, help="the largest number of segments to measure on")
    parser.add_argument("--set", nargs="*", default=[], help="overrides of config/adapt.yaml, such as trainer.epochs=2")
    args = parser.parse_args()
    corpus, out = args.corpus.resolve(), args.out.resolve()
    sizes = [int(size) for size in args.sizes.split(",")]
    n_train, n_dev = (len(read_lines(corpus / f"{part}.da")) for part in ("train", "dev"))
    if max(sizes) > n_train:
        parser.error(f"--sizes: found {max(sizes):,}; expected at most {n_train:,}, the training segments of {corpus}.")
    if n_dev <= CHOOSING:
        found = f"found {n_dev:,} development segments; expected more than {CHOOSING}, on which checkpoints are chosen."
        parser.error(f"{corpus}: {found}")
    out.mkdir(parents=True, exist_ok=True)

    file = out / "adapt.json"
    figures: dict[int, Figures] = {}
    if file.exists():
        figures = {int(size): own for size, own in json.loads(file.read_text(encoding="utf-8")).items()}
    for size in (0, *sizes):
        if size not in figures:
            model = adapt(args.model, corpus, out / str(size), size, args.set) if size else args.model
            figures[size] = measure(model, corpus, args.segments)
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    name = corpus.name
    (out / "adapt.md").write_text(f"\n## {name}, trained further\n\n{page(figures, name)}", encoding="utf-8")
    (out / "adapt.svg").write_text(draw(figures, name), encoding="utf-8")
    print(page(figures, name))


if __name__ == "__main__":
    main()
