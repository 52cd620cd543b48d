"""Quality estimation systems: an encoder, a decoder and outputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import NonNegativeInt, PositiveInt, ValidationInfo, field_validator, model_validator
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.collate import Collate
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.embeddings import load_embeddings
from kiwi.data.readers import Columns
from kiwi.data.vocabulary import DataProcessingConfig, Vocabulary, build_vocabularies, load_vocabularies
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.architectures import ARCHITECTURES, ModelConfig
from kiwi.systems.base import SPARSE_OPTIMIZERS, BatchSizes, OptimizerConfig
from kiwi.systems.checkpoint import (
    CheckpointInfo,
    load_weights,
    read_checkpoint_info,
    read_weights,
    save_checkpoint,
)
from kiwi.systems.encoders.quetch import TokenEmbeddingsConfig
from kiwi.systems.outputs.quality_estimation import QEOutputs
from kiwi.utils.io import BaseConfig, did_you_mean

logger = logging.getLogger(__name__)


class QESystem(nn.Module):
    """Estimates the quality of translations: what it computes, its losses, its predictions, and how it is saved.

    Args:
        class_name: a key of :data:`kiwi.systems.architectures.ARCHITECTURES`.
        model: configuration of its parts.
        vocabularies: of the text fields that its encoder reads.
    """

    class Config(BaseConfig):
        """Form of ``system``."""

        class_name: str | None = None
        """Architecture, such as ``NuQE``; required unless ``load`` is given."""

        load: Path | None = None
        """A trained system, whose weights, vocabularies and configuration are taken."""

        load_encoder: Path | None = None
        """A trained system, of which the encoder (weights, vocabularies and configuration) is taken."""

        load_vocabs: Path | None = None
        """A trained system or its ``vocab.json``, of which the vocabularies are taken."""

        model: Any = None
        """Parts of the system; its form depends on ``class_name``. With ``load``, the options that are to differ
        from those of the trained system."""

        data_processing: DataProcessingConfig = DataProcessingConfig()
        """How text becomes numbers."""

        optimizer: OptimizerConfig | None = None
        """How weights are updated; required for training."""

        batch_size: PositiveInt | BatchSizes = 1
        """Segments in a batch; one value, or one for each of ``train``, ``valid`` and ``test``."""

        num_data_workers: NonNegativeInt = 4
        """Processes that prepare batches, at most one a core; 0 prepares them in the main process."""

        @field_validator("class_name")
        @classmethod
        def check_known(cls, value: str | None) -> str | None:
            """Only what the table of architectures has."""
            if value is not None and value not in ARCHITECTURES:
                raise ValueError(f"'{value}' is not a system; {did_you_mean(value, ARCHITECTURES)}")
            return value

        @field_validator("model")
        @classmethod
        def check_form(cls, value: Any, info: ValidationInfo) -> Any:
            """As the class says; with ``load``, the class is known only when the system is loaded."""
            class_name = info.data.get("class_name")
            if value is None or class_name is None or info.data.get("load") is not None:
                return value
            return ARCHITECTURES[class_name].config.model_validate(value)

        @model_validator(mode="after")
        def check_what_to_build(self) -> QESystem.Config:
            """Something to build, or something to load."""
            if self.load is None and self.class_name is None:
                raise ValueError(f"one of class_name and load is required (class_name: {', '.join(ARCHITECTURES)})")
            if self.load is None and self.model is None:
                raise ValueError("model is required unless load is given")
            if self.load is not None and (self.load_encoder or self.load_vocabs):
                raise ValueError("load brings its own encoder and vocabularies; remove load_encoder and load_vocabs")
            if self.load_encoder is not None and self.load_vocabs is not None:
                raise ValueError("load_encoder brings its own vocabularies; remove load_vocabs")
            if isinstance(self.model, ModelConfig):
                _check_sparse(self.model, self.optimizer)
            return self

        def batch_size_for(self, use: str) -> int:
            """Segments in a batch for ``train``, ``valid`` or ``test``."""
            size: int = getattr(self.batch_size, use) if isinstance(self.batch_size, BatchSizes) else self.batch_size
            return size

    def __init__(self, class_name: str, model: ModelConfig, vocabularies: Mapping[str, Vocabulary]) -> None:
        super().__init__()
        architecture = ARCHITECTURES[class_name]
        self.class_name = class_name
        self.model_config = model
        self.vocabularies = dict(vocabularies)
        self.collate = Collate(vocabularies)
        with_source = model.outputs.word_level.source
        self.encoder = architecture.encoder.build(model.encoder, vocabularies, with_source=with_source)
        self.decoder = architecture.decoder.build(model.decoder, self.encoder.sizes)
        self.outputs = QEOutputs(model.outputs, self.decoder.sizes)

    def forward(self, batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        """Logits of each output, segments first."""
        logits: dict[str, Tensor] = self.outputs(self.decoder(self.encoder(batch), batch))
        return logits

    @property
    def input_fields(self) -> list[str]:
        """Fields of the data that it reads."""
        return input_fields(self.class_name, self.model_config)

    @classmethod
    def resolve(cls, config: Config) -> Config:
        """The configuration with what trained systems bring: class and model of ``load``, encoder of ``load_encoder``.

        Raises:
            CheckpointError: when there is no trained system.
            ConfigError: when the configuration and the trained system do not agree.
        """
        if config.load is not None:
            info = read_checkpoint_info(config.load)
            if config.class_name not in (None, info.class_name):
                raise ConfigError(
                    f"system.class_name is '{config.class_name}', but {config.load} is '{info.class_name}'."
                )
            if config.data_processing != DataProcessingConfig():
                logger.warning("system.data_processing is not used: the vocabularies of %s are.", config.load)
            model = model_config_of(info, config.load, changes=config.model or {})
            _check_sparse(model, config.optimizer)
            return config.model_copy(update={"class_name": info.class_name, "model": model})
        if config.load_encoder is not None:
            info = read_checkpoint_info(config.load_encoder)
            encoder = model_config_of(info, config.load_encoder).encoder
            if type(encoder) is not type(config.model.encoder):
                raise ConfigError(
                    f"system.load_encoder: found '{info.class_name}'; expected an encoder for '{config.class_name}'."
                )
            if encoder != config.model.encoder:
                logger.warning(
                    "system.model.encoder is not used where it differs from the one in %s.", config.load_encoder
                )
            return config.model_copy(update={"model": config.model.model_copy(update={"encoder": encoder})})
        return config

    @classmethod
    def check_data(cls, config: Config, data: WMTQEDataset.Config) -> None:
        """Check that the files are configured that the system reads and learns from.

        Args:
            config: resolved.
            data: where the files are.

        Raises:
            ConfigError: naming each file that is not configured.
        """
        inputs, outputs = input_fields(config.class_name or "", config.model), label_fields(config.model)
        missing = []
        for name, part in (("train", data.train), ("valid", data.valid)):
            if part is not None:
                missing += [f"data.{name}.input.{field}" for field in inputs if getattr(part.input, field) is None]
                missing += [f"data.{name}.output.{field}" for field in outputs if getattr(part.output, field) is None]
        if missing:
            raise ConfigError(
                f"{config.class_name} with these outputs learns from files that the configuration does not give:\n"
                + "\n".join(f"  {path}: required" for path in missing)
            )

    @classmethod
    def read_datasets(cls, config: Config, data: WMTQEDataset.Config, seed: int) -> tuple[WMTQEDataset, WMTQEDataset]:
        """Training and validation data.

        Args:
            config: resolved, and held against ``data`` by :meth:`check_data`.
            data: where the files are.
            seed: of a split.

        Raises:
            DataError: when a file cannot be used, or does not have what an output learns from.
        """
        train, valid = WMTQEDataset.train_and_valid(data, seed)
        for dataset, part in ((train, data.train), (valid, data.valid or data.train)):
            assert part is not None, "checked by the training configuration"
            config.model.outputs.check_labels(dataset.columns, dict(part.output))
        return train, valid

    @classmethod
    def build(cls, config: Config, columns: Columns) -> Self:
        """A system to train.

        Args:
            config: resolved.
            columns: the training data, for its vocabularies.
        """
        if config.load is not None:
            return cls.load(config.load, config.model)
        assert config.class_name is not None
        fields = [field for field in input_fields(config.class_name, config.model) if field in const.TEXT_FIELDS]
        if stored := config.load_encoder or config.load_vocabs:
            vocabularies = load_vocabularies(stored, fields)
        else:
            vocabularies = build_vocabularies(columns, fields, config.data_processing)
        logger.info("Vocabularies: %s.", ", ".join(f"{field} {len(words)}" for field, words in vocabularies.items()))
        system = cls(config.class_name, config.model, vocabularies)
        if config.load_encoder is not None:
            prefix = "encoder."
            weights = read_weights(config.load_encoder)
            own = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
            load_weights(system.encoder, own, config.load_encoder)
        elif config.data_processing.embeddings is not None:
            system.load_embeddings(config.data_processing)
        return system

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
        save_checkpoint(path, info, self.state_dict(), self.vocabularies)

    @classmethod
    def load(cls, path: Path, model: ModelConfig | None = None) -> Self:
        """A trained system.

        Args:
            path: a checkpoint directory.
            model: its configuration, changed; None takes it as it is. An output that the checkpoint does not have
                starts with fresh weights.

        Raises:
            CheckpointError: when it is not there, is damaged, or does not fit.
        """
        info = read_checkpoint_info(path)
        trained = model_config_of(info, path)
        model = model or trained
        vocabularies = load_vocabularies(
            path, [f for f in input_fields(info.class_name, trained) if f in const.TEXT_FIELDS]
        )
        system = cls(info.class_name, model, vocabularies)
        weights = read_weights(path)
        if model == trained:
            load_weights(system, weights, path)
            return system
        # Outputs may differ: what is no longer asked for is left out, what is new starts fresh.
        gone = set(trained.outputs.names) - set(model.outputs.names)
        new = set(model.outputs.names) - set(trained.outputs.names)
        load_weights(
            system,
            {
                name: tensor
                for name, tensor in weights.items()
                if not name.startswith(_prefixes(gone, cls.SOURCE_PARTS))
            },
            path,
            fresh=_prefixes(new, cls.SOURCE_PARTS),
        )
        return system

    SOURCE_PARTS = ("encoder.unaligned_source_word", "decoder.source.")
    """Weights that are there only with source tags."""


def _prefixes(outputs: set[str], source_parts: tuple[str, ...]) -> tuple[str, ...]:
    prefixes = tuple(f"outputs.by_name.{name}." for name in outputs)
    return prefixes + (source_parts if const.SOURCE_TAGS in outputs else ())


def input_fields(class_name: str, model: ModelConfig) -> list[str]:
    """Fields of the data that a system of this class reads."""
    return ARCHITECTURES[class_name].encoder.input_fields(model.encoder)


def label_fields(model: ModelConfig) -> list[str]:
    """Files of labels that the outputs learn from; gap tags stand among the target tags."""
    files = {const.GAP_TAGS: const.TARGET_TAGS, const.BINARY: const.SENTENCE_SCORES}
    return list(dict.fromkeys(files.get(name, name) for name in model.outputs.names))


def model_config_of(info: CheckpointInfo, place: Path, changes: Mapping[str, Any] | None = None) -> ModelConfig:
    """The configuration of a trained system's parts, perhaps with changes.

    Raises:
        CheckpointError: when the checkpoint's own is not valid.
        ConfigError: when the changes are not.
    """
    if info.class_name not in ARCHITECTURES:
        raise CheckpointError(
            f"{place}: '{info.class_name}' is not a system; {did_you_mean(info.class_name, ARCHITECTURES)}"
        )
    form = ARCHITECTURES[info.class_name].config
    try:
        trained = form.from_dict(info.model)
    except ConfigError as error:
        raise CheckpointError(f"{place}: damaged checkpoint, or of another version of kiwi. {error}") from error
    return form.from_dict(_merged(info.model, changes)) if changes else trained


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def _check_sparse(model: ModelConfig, optimizer: OptimizerConfig | None) -> None:
    embeddings = getattr(model.encoder, "embeddings", None)
    sparse = [
        field
        for field, options in (embeddings or ())
        if isinstance(options, TokenEmbeddingsConfig) and options.sparse_embeddings
    ]
    if sparse and optimizer is not None and optimizer.class_name not in SPARSE_OPTIMIZERS:
        raise ValueError(
            f"model.encoder.embeddings.{sparse[0]}.sparse_embeddings needs an optimizer that takes sparse gradients "
            f"({', '.join(SPARSE_OPTIMIZERS)}); found '{optimizer.class_name}'"
        )
