"""What every system is: a plain module that can be trained, measured and saved."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.collate import Collate
from kiwi.data.text.embeddings import load_embeddings
from kiwi.data.text.vocabulary import DataProcessingConfig, Vocabulary
from kiwi.exceptions import ConfigError
from kiwi.metrics.accumulators import Accumulator
from kiwi.systems.batching import whole
from kiwi.systems.checkpoint import save_checkpoint
from kiwi.systems.config.architectures import AnyModelConfig
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.manifest.checkpoint import CheckpointInfo, DataInfo
from kiwi.systems.manifest.model_card import model_card, read_run_configuration
from kiwi.systems.pretrained.hub import locate
from kiwi.systems.pretrained.model import Pretrained

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
        self.data_info = DataInfo()
        """What it was trained on, as far as it is known."""
        self.metrics: dict[str, float] = {}
        """Validation metrics that its checkpoint had; none of a system that has been trained since."""
        self.loaded_from: Path | None = None
        """Its checkpoint."""

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
        return self.collate.lengths(columns)

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

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """A trained system; see the classes."""

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, revision: str | None = None) -> Self:
        """A trained system from a directory, or from the model hub.

        Args:
            name_or_path: a directory, which never asks the network, or ``organization/name``.
            revision: branch, tag or commit on the hub.

        Raises:
            CheckpointError: when it is not there, is damaged, or does not fit.
        """
        return cls.load(locate(name_or_path, revision))

    def save_pretrained(
        self,
        directory: str | Path,
        *,
        metrics: Mapping[str, float] | None = None,
        name: str | None = None,
        licence: str | None = None,
    ) -> None:
        """Write a checkpoint with a model card, ready for ``hf upload organization/name DIRECTORY``.

        Args:
            directory: to write, whole or not at all.
            metrics: validation metrics; those of the checkpoint that the system was loaded from if not given.
            name: on the hub, for the card.
            licence: of the system, as the hub writes it, such as ``apache-2.0``.

        Raises:
            ConfigError: when there is a directory already that has something in it, and is no checkpoint.
            WriteError: when it cannot be written.
        """
        directory = Path(directory)
        info = self._info(self.metrics if metrics is None else metrics)
        run = None if self.loaded_from is None else read_run_configuration(self.loaded_from)
        licences = {} if self.pretrained is None else self.pretrained.licences
        card = model_card(info, name or directory.resolve().name, run=run, licences=licences, licence=licence)
        save_checkpoint(directory, info, self.weights(), self.vocabularies, self.pretrained, card)

    def save(
        self, path: Path, metrics: Mapping[str, float] | None = None, weights: Mapping[str, Tensor] | None = None
    ) -> None:
        """Write a checkpoint directory, whole or not at all.

        Args:
            path: of the directory.
            metrics: of the system, on validation data.
            weights: its :meth:`weights`, if they have been asked for already.

        Raises:
            ConfigError: when there is a directory already that has something in it, and is no checkpoint.
            WriteError: when it cannot be written.
        """
        weights = self.weights() if weights is None else weights
        save_checkpoint(path, self._info(metrics or {}), weights, self.vocabularies, self.pretrained)

    def _info(self, metrics: Mapping[str, float]) -> CheckpointInfo:
        return CheckpointInfo(
            self.class_name,
            self.model_config.model_dump(mode="json"),
            dict(metrics),
            data=self.data_info,
            origin=None if self.pretrained is None else self.pretrained.origin,
        )

    def weights(self) -> dict[str, Tensor]:
        """What a checkpoint keeps; of weights that several processes hold in parts, the whole: all have to ask."""
        weights = {name: weight for name, weight in self.state_dict().items() if not name.startswith("encoder.")}
        weights |= {f"encoder.{name}": weight for name, weight in self.encoder.weights().items()}
        return {name: whole(weight) for name, weight in weights.items()}

    def _is_loaded(self, path: Path, info: CheckpointInfo) -> None:
        """Remember where it comes from."""
        self.data_info, self.metrics, self.loaded_from = info.data, dict(info.metrics), path
