"""What every engine offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kiwi.data.batch import NumpyBatch
from kiwi.data.collate import Collate
from kiwi.systems.manifest.checkpoint import DataInfo


@dataclass(frozen=True)
class AboutSystem:
    """What has to be known of a trained system to predict with it."""

    class_name: str
    """Its name in the configuration."""

    input_fields: tuple[str, ...]
    """Fields of the data that it reads."""

    outputs: tuple[str, ...]
    """Names of what it predicts, as their files have them."""

    use_distribution: bool = False
    """Whether each score comes with its standard deviation."""

    data: DataInfo = field(default_factory=DataInfo)
    """What it was trained on."""

    n_parameters: int = 0
    """Weights."""

    sha256: str = ""
    """Of the checkpoint that it comes from."""

    precision: str = "32"
    """That it computes in: ``32``, ``bf16``, ``16``, or ``int8`` of an exported system in 8 bits."""

    export_sha256: str = ""
    """Of an exported system itself; empty for a checkpoint."""

    place: Path | None = None
    """Where it was loaded from."""


class Engine(ABC):
    """Computes batches with a trained system."""

    about: AboutSystem
    """The system."""

    collate: Collate
    """Rows to a batch."""

    batch_tokens: int
    """Words, or pieces, of source plus target that are best computed at once, padding included."""

    @abstractmethod
    def __call__(self, batch: NumpyBatch) -> dict[str, NDArray[Any]]:
        """What the system says of a batch, float32.

        Returns:
            By output: ``target_tags`` (batch, target_words), ``gap_tags`` (batch, target_words + 1) and ``source_tags``
            (batch, source_words) are probabilities of BAD, with anything in the place of padding; ``binary`` (batch,)
            too; ``sentence_scores`` (batch,) are scores, and ``sentence_scores_extras`` (batch, 2) mean and deviation.
        """


def best_batch_tokens(collate: Collate, *, on_cpu: bool) -> int:
    """The ``batch_tokens`` of an engine.

    Args:
        collate: of its system.
        on_cpu: whether it computes there.
    """
    if not on_cpu:
        return 16384
    # What stays in the caches of a CPU; recurrent layers, a step of all segments at a time, take more.
    return 1024 if collate.pieces is not None else 8192
