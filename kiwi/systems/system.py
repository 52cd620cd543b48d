"""The base class of systems: plain modules that can be trained, evaluated and saved."""

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
from kiwi.data.files.lines import Columns
from kiwi.data.text.embeddings import load_embeddings
from kiwi.data.text.vocabulary import DataProcessingConfig, Vocabulary
from kiwi.exceptions import ConfigError
from kiwi.metrics.accumulators import Accumulator
from kiwi.systems.batching import gather_full_tensor
from kiwi.systems.checkpoint import save_checkpoint
from kiwi.systems.config.architectures import AnyModelConfig
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.manifest.checkpoint import CheckpointInfo
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.manifest.model_card import model_card, read_run_configuration
from kiwi.systems.pretrained.hub import locate
from kiwi.systems.pretrained.model import Pretrained
from kiwi.utils.written import user_path

logger = logging.getLogger(__name__)


class System(nn.Module, ABC):
    """The interface between a system and its training: losses, metrics and checkpoints.

    Args:
        class_name: the name of the architecture in the configuration.
        model: the configuration of encoder, decoder and outputs.
        vocabularies: the vocabularies of the text fields that the encoder reads.
        pretrained: the pretrained model that the encoder is built on, if any.
    """

    encoder: Encoder
    """The module that computes features of words from a batch."""

    collate: Collate
    """The function that makes a batch of rows."""

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
        """The training data, as far as it is known."""
        self.metrics: dict[str, float] = {}
        """The validation metrics in its checkpoint; empty once the system is trained further."""
        self.loaded_from: Path | None = None
        """The checkpoint that it was loaded from."""

    @classmethod
    def metric_names(cls, config: Any, data: Any) -> list[str]:
        """Return the validation metrics that the data allows, the main one first, without the prefix ``val_``.

        Args:
            config: the resolved options of ``system``.
            data: the options of ``data``.
        """
        names: list[str] = config.model.metric_names
        return names

    @classmethod
    def resolve_data(cls, config: Any, data: Any, train: Any, valid: Any) -> Any:
        """Return the options of ``system``, completed by what the training data decides, and check them.

        Args:
            config: the options of ``system``.
            data: the options of ``data``.
            train: the training data.
            valid: the validation data.

        Raises:
            ConfigError: when the options do not fit the data.
            DataError: when the data lacks the labels that an output needs.
        """
        return config

    @abstractmethod
    def losses(self, batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        """Compute the training losses (scalars) by name, and ``loss``, their weighted sum."""

    @abstractmethod
    def accumulators(self) -> dict[str, Accumulator]:
        """Create empty accumulators of its metrics."""

    @abstractmethod
    def validate(self, accumulators: Mapping[str, Accumulator], batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        """Add a batch to the accumulators.

        Returns:
            The losses of the batch, named as in :meth:`losses`.
        """

    def lengths(self, columns: Mapping[str, Sequence[str]]) -> Any:
        """Return the length of each segment, source plus target, in words or pieces."""
        return self.collate.lengths(columns)

    def load_embeddings(self, config: DataProcessingConfig) -> None:
        """Replace initial embeddings by pretrained vectors.

        Raises:
            ConfigError: when a file is given for a field without embeddings.
            DataError: when a file does not match its configuration.
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

    def adopt_data(self, info: DataInfo, columns: Columns) -> None:
        """Prepare a system for its training data, which its checkpoints describe.

        Args:
            info: the description of the data.
            columns: the training data.
        """
        self.data_info = info

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """Load a trained system from a checkpoint directory."""

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, revision: str | None = None) -> Self:
        """Load a trained system from a directory or from the model hub.

        Args:
            name_or_path: a directory, which is read without network access, or ``organization/name``.
            revision: the branch, tag or commit on the hub.

        Raises:
            CheckpointError: when the checkpoint is missing, damaged, or of another class.
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
            directory: the directory to write, atomically.
            metrics: the validation metrics; by default those of the checkpoint that the system was loaded from.
            name: the name on the hub, for the card.
            licence: the licence of the system in the hub's notation, such as ``apache-2.0``.

        Raises:
            ConfigError: when the directory exists, is not empty, and is not a checkpoint.
            WriteError: when the directory cannot be written.
        """
        directory = user_path(directory)
        info = self._info(self.metrics if metrics is None else metrics)
        run = None if self.loaded_from is None else read_run_configuration(self.loaded_from)
        licences = {} if self.pretrained is None else self.pretrained.licences
        card = model_card(info, name or directory.resolve().name, run=run, licences=licences, licence=licence)
        save_checkpoint(directory, info, self.weights(), self.vocabularies, self.pretrained, card)

    def save(
        self, path: Path, metrics: Mapping[str, float] | None = None, weights: Mapping[str, Tensor] | None = None
    ) -> None:
        """Write a checkpoint directory atomically.

        Args:
            path: the directory to write.
            metrics: the metrics of the system on the validation data.
            weights: the result of :meth:`weights`, if it has been computed already.

        Raises:
            ConfigError: when the directory exists, is not empty, and is not a checkpoint.
            WriteError: when the directory cannot be written.
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
        """Return the weights for a checkpoint, gathered if they are sharded; every process has to call this."""
        weights = {name: weight for name, weight in self.state_dict().items() if not name.startswith("encoder.")}
        weights |= {f"encoder.{name}": weight for name, weight in self.encoder.weights().items()}
        return {name: gather_full_tensor(weight) for name, weight in weights.items()}

    def _record_checkpoint(self, path: Path, info: CheckpointInfo) -> None:
        """Remember the checkpoint that the system was loaded from."""
        self.data_info, self.metrics, self.loaded_from = info.data, dict(info.metrics), path
