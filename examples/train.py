"""Compose a training run from its parts: data, system, a training loop of your own, checkpoint, prediction.

    python examples/train.py [DIRECTORY]

`kiwi train` does all of this and more: schedules, several devices, early stopping, resuming, tracking. Write a loop
of your own where that is not what you need; data, systems, metrics and checkpoints work without it.
docs/tutorials/training-loop.md explains the functions below, and the part of `main` between its `docs:` comments.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch.optim import Adam, Optimizer

import kiwi
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.systems.batching import as_tensors
from kiwi.systems.qe_system import QESystem

SAMPLE = Path(kiwi.__file__).parent / "assets" / "sample"
EPOCHS = 6
BATCH_SIZE = 16


def read_data() -> tuple[WMTQEDataset, WMTQEDataset]:
    """Read and check the training and the validation part of the bundled sample."""

    def part(name: str) -> dict[str, dict[str, Path]]:
        return {
            "input": {
                "source": SAMPLE / f"{name}.src",
                "target": SAMPLE / f"{name}.mt",
                "alignments": SAMPLE / f"{name}.alignments",
            },
            "output": {
                "target_tags": SAMPLE / f"{name}.tags",
                "sentence_scores": SAMPLE / f"{name}.hter",
            },
        }

    config = WMTQEDataset.Config.from_dict({"train": part("train"), "valid": part("valid")})
    return WMTQEDataset.train_and_valid(config, seed=42)


def build_system(train: WMTQEDataset) -> QESystem:
    """Build a small NuQE; its vocabularies are those of the training data."""
    embeddings = {"source": {"dim": 50}, "target": {"dim": 50}}
    word_level = {
        "target": True,
        "gaps": True,
        "class_weights": {"target_tags": {"BAD": 4.0}, "gap_tags": {"BAD": 15.0}},
    }
    config = QESystem.Config.from_dict(
        {
            "class_name": "NuQE",
            "data_processing": {"vocab": {"min_frequency": 2}},
            "model": {
                "encoder": {"window_size": 3, "embeddings": embeddings},
                "decoder": {"target": {"hidden_sizes": [100, 50, 50, 25], "dropout": 0.1}},
                "outputs": {"word_level": word_level, "sentence_level": {"hter": True}},
            },
        }
    )
    return QESystem.build(config, train.columns)


def train_epoch(system: QESystem, data: WMTQEDataset, optimizer: Optimizer) -> float:
    """Train on each segment once, in random order, and return the mean loss."""
    system.train()
    losses = []
    for indices in torch.randperm(len(data)).split(BATCH_SIZE):
        batch = as_tensors(system.collate([data[i] for i in indices.tolist()]))
        loss = system.losses(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(system.parameters(), max_norm=1.0)
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def validate(system: QESystem, data: WMTQEDataset) -> dict[str, float]:
    """Compute the metrics of the whole corpus, whose statistics accumulators collect."""
    system.eval()
    accumulators = system.accumulators()
    for start in range(0, len(data), BATCH_SIZE):
        rows = [data[i] for i in range(start, min(start + BATCH_SIZE, len(data)))]
        system.validate(accumulators, as_tensors(system.collate(rows)))
    figures = [metrics.compute() for metrics in accumulators.values()]
    return {name: value for part in figures for name, value in part.items()}


def main(directory: Path) -> None:
    """Train, keep the best model, and predict with it."""
    torch.manual_seed(42)
    train, valid = read_data()
    system = build_system(train)
    # docs: start-main
    optimizer = Adam(system.parameters(), lr=0.003)
    best = float("-inf")
    for epoch in range(1, EPOCHS + 1):
        loss = train_epoch(system, train, optimizer)
        metrics = validate(system, valid)
        mcc, pearson = metrics["target_tags_MCC"], metrics["PEARSON"]
        print(f"epoch {epoch}: loss {loss:.2f}, MCC {mcc:.3f}, Pearson {pearson:.3f}")
        if pearson > best:
            best = pearson
            system.save(directory / "checkpoint", metrics)

    runner = kiwi.load_system(directory / "checkpoint")
    predictions = runner.predict(
        source=["Close the bank ."],
        target=["Schließen Sie die Bank ."],
        alignments=["0-0 1-2 2-3 3-4"],
    )
    # docs: end-main
    assert predictions.sentences_hter is not None
    assert predictions.target_tags_labels is not None
    print(f"predicted HTER {predictions.sentences_hter[0]:.3f}, tags {' '.join(predictions.target_tags_labels[0])}")
    print(f"wrote {directory / 'checkpoint'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example-train"))
