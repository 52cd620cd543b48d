"""Score translations with a trained system, and use the scores: which segments should a translator look at first?

    python examples/score_from_python.py [DIRECTORY]

The script first trains a small system in DIRECTORY, unless there is one already, for instance from `kiwi train
--example run.output_dir=DIRECTORY`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import kiwi
from kiwi.lib.train import train_from_configuration
from kiwi.lib.utils import example_configuration, load_configuration

SAMPLE = Path(kiwi.__file__).parent / "assets" / "sample"


def lines(name: str) -> list[str]:
    """Return the segments of a file of the sample."""
    return (SAMPLE / name).read_text(encoding="utf-8").splitlines()


def main(directory: Path) -> None:
    """Predict the test part of the sample, and print the segments with the worst scores and their BAD words."""
    model = directory / "best_model"
    if not model.exists():
        changes = [f"run.output_dir={directory}", "trainer.epochs=10", "quiet=true"]
        train_from_configuration(load_configuration(example_configuration("train"), changes))

    # A directory (a checkpoint or an export), or a name on the model hub; gpu_id=0 computes on a GPU.
    runner = kiwi.load_system(model, threads=1)

    # The system says which fields it reads; NuQE reads alignments too.
    print("reads:", ", ".join(runner.about.input_fields))
    source, target = lines("test.src"), lines("test.mt")
    predictions = runner.predict(source, target, alignments=lines("test.alignments"))

    # Every output that the system does not have is None.
    scores, probabilities = predictions.sentences_hter, predictions.target_tags_BAD_probabilities
    assert scores is not None
    assert probabilities is not None
    worst = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    for i in worst[:3]:
        words = zip(target[i].split(), probabilities[i], strict=True)
        marked = " ".join(f"[{word} {p:.2f}]" if p > 0.5 else word for word, p in words)
        print(f"{scores[i]:.3f}  {source[i]}\n       {marked}")

    # A segment's result is the same alone and in any batch.
    alone = runner.predict(source[:1], target[:1], alignments=lines("test.alignments")[:1])
    assert alone.sentences_hter is not None
    print("same alone:", abs(alone.sentences_hter[0] - scores[0]) < 1e-5)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example-score_from_python"))
