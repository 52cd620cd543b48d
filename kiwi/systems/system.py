"""What every system is: a plain module that can be trained, measured and saved."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.collate import Collate
from kiwi.data.embeddings import load_embeddings
from kiwi.data.tokenization import words
from kiwi.data.vocabulary import DataProcessingConfig, Vocabulary
from kiwi.exceptions import ConfigError
from kiwi.metrics.accumulators import Accumulator
from kiwi.systems.architectures import AnyModelConfig
from kiwi.systems.checkpoint import CheckpointInfo, save_checkpoint
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.pretrained import Pretrained

logger = logging.getLogger(__name__)


class System(nn.Module, ABC):
    """What training asks of a system: losses, metrics, and how it is saved.

    Args:
        class_name: its name in the configuration.
        model: configuration of its parts.
        vocabularies: of the text fields that its encoder reads.
        pretrained: the model that its encoder is built on, if it is.
    """

    encoder: Encoder
    """Batches to features of words."""

    collate: Collate
    """Rows to a batch."""

    def __init__(
        self,
        class_name: str,
        model: AnyModelConfig,
        vocabularies: Mapping[str, Vocabulary],
        pretrained: Pretrained | None = None,
    ) -> None:
        super().__init__()
        self.class_name = class_name
        self.model_config: Any = model
        self.vocabularies = dict(vocabularies)
        self.pretrained = pretrained

    @abstractmethod
    def losses(self, batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        """Losses to train on, by name, and ``loss``, their weighted sum; scalars."""

    @abstractmethod
    def accumulators(self) -> dict[str, Accumulator]:
        """Empty accumulators of its metrics."""

    @abstractmethod
    def validate(self, accumulators: Mapping[str, Accumulator], batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        """Add a batch to the accumulators.

        Returns:
            Its losses, named as those of :meth:`losses`.
        """

    def lengths(self, columns: Mapping[str, Sequence[str]]) -> Any:
        """How much there is to compute for each segment: words of source plus target, or their pieces."""
        sides = [[words(line) for line in columns[field]] for field in (const.TARGET, const.SOURCE)]
        if self.encoder.pieces is not None:
            return self.encoder.pieces.lengths(*sides)
        return [len(target) + len(source) for target, source in zip(*sides, strict=True)]

    def note_long_segments(self, columns: Mapping[str, Sequence[str]]) -> None:
        """Log how many segments are longer than the encoder takes, and how many are cut."""
        pieces = self.encoder.pieces
        if pieces is None:
            return
        sides = ([words(line) for line in columns[field]] for field in (const.TARGET, const.SOURCE))
        n_long, n_cut = pieces.count_long(*sides)
        if n_long:
            logger.info("%d segments are longer than the encoder takes: read in overlapping windows.", n_long)
        if n_cut:
            logger.warning("%d segments are cut (source_max_length, target_max_length of system.model.encoder).", n_cut)

    def load_embeddings(self, config: DataProcessingConfig) -> None:
        """Put pretrained vectors in the place of the initial ones.

        Raises:
            ConfigError: when the encoder has no embeddings for a field that has a file.
            DataError: when a file is not as configured.
        """
        assert config.embeddings is not None
        layers: Any = self.encoder.get_submodule("embeddings")
        for field in (name for name in const.TEXT_FIELDS if config.embeddings.file(name) is not None):
            if field not in layers:
                raise ConfigError(
                    f"system.data_processing.embeddings.{field}: {self.class_name} has no embeddings for '{field}' as "
                    f"configured; it has them for {', '.join(layers)}."
                )
            indices = {word: index for index, word in enumerate(self.vocabularies[field].entries)}
            rows, vectors = load_embeddings(config.embeddings, field, indices, layers[field].dim)
            with torch.no_grad():
                layers[field].tokens.weight[torch.from_numpy(rows)] = torch.from_numpy(vectors)
            logger.info("Pretrained embeddings for %d of %d %s entries.", len(rows), len(indices), field)

    def save(self, path: Path, metrics: Mapping[str, float] | None = None) -> None:
        """Write a checkpoint directory, whole or not at all."""
        info = CheckpointInfo(self.class_name, self.model_config.model_dump(mode="json"), dict(metrics or {}))
        weights = {name: weight for name, weight in self.state_dict().items() if not name.startswith("encoder.")}
        weights |= {f"encoder.{name}": weight for name, weight in self.encoder.weights().items()}
        save_checkpoint(path, info, weights, self.vocabularies, self.pretrained)
