"""Add an output of your own: does a segment need a heavy edit?

    python examples/add_an_output.py [DIRECTORY]

An output is a row in the table of outputs and a module that computes it. This one gives each segment a verdict, BAD
where more than a quarter of its words would have to be edited. It learns from the scores that the data has already.
Everything else follows from the row: metrics, checkpoints, files, tables, evaluation, exports and the model card.

The row has to be in the table wherever the system is loaded, so keep it in a module that your scripts import.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn import functional

import kiwi
from kiwi.data.batch import QEBatch
from kiwi.lib.utils import example_configuration, load_configuration
from kiwi.systems.features import FeatureSizes
from kiwi.systems.outputs.binary import BinaryOutput
from kiwi.utils.io import BaseConfig

LIMIT = 0.25


class HeavyEdit(BinaryOutput):
    """A verdict on each segment, with a weight of its rarer class in the loss."""

    weights: Tensor
    """The weights of OK and BAD in the loss."""

    class Config(BaseConfig):
        """The options below ``system.model.outputs.custom.heavy_edit``."""

        bad_weight: PositiveFloat = 1.0
        """The weight of BAD in the loss."""

    @classmethod
    def build(cls, name: str, config: Any, sizes: FeatureSizes) -> HeavyEdit:
        """Build the output from the options of all outputs."""
        output = super().build(name, config, sizes)
        output.register_buffer("weights", torch.tensor([1.0, config.custom[name].bad_weight]), persistent=False)
        return output

    def loss(self, logits: Tensor, batch: QEBatch[Tensor]) -> Tensor:
        """Return the weighted cross entropy."""
        return functional.cross_entropy(logits, self.gold(batch), weight=self.weights)


kiwi.OUTPUTS["heavy_edit"] = kiwi.OutputSpec(
    name="heavy_edit",
    kind="verdict",
    unit="segment",
    switch="custom.heavy_edit",
    module=f"{__name__}:HeavyEdit",
    attribute="sentences_heavy_edit",
    label_field="sentence_scores",
    gold_field="sentence_scores",
    title="Heavy edits",
    description="whether each segment needs a heavy edit",
    is_bad=lambda scores: scores > LIMIT,
)


def main(directory: Path) -> None:
    """Train a system with the new output, and print its verdicts."""
    changes = [f"run.output_dir={directory}", "trainer.epochs=4", "quiet=true"]
    options = load_configuration(example_configuration("train"), changes)
    options["system"]["model"]["outputs"]["custom"] = {"heavy_edit": {"bad_weight": 2.0}}
    info = kiwi.train_from_configuration(options)
    print(f"validation accuracy of the verdicts: {info.best_metrics['val_heavy_edit_CORRECT']:.3f}")

    system = kiwi.load_system(directory / "best_model")
    sources = ["Close the bank .", "The house is small ."]
    targets = ["Schließen Sie die Bank .", "Das Haus ist nicht groß ."]
    predictions = system.predict(sources, targets, ["0-0 1-2 2-3 3-4", "0-0 1-1 2-2 3-4 4-5"])
    probabilities = predictions.get("sentences_heavy_edit_BAD_probabilities") or []
    for target, probability in zip(targets, probabilities, strict=True):
        print(f"{probability:.3f}  {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example-add_an_output"))
