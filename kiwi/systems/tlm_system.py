"""Translation language models: encoders that are pretrained on parallel text."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeAlias

from torch import Tensor
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.collate import Collate
from kiwi.data.datasets.parallel_dataset import LengthsInBytes, ParallelDataset
from kiwi.data.text.vocabulary import Vocabulary, build_vocabularies, load_vocabularies
from kiwi.metrics.accumulators import Accumulator, LanguageModelMetrics
from kiwi.systems.checkpoint import build_on_meta, check_fit, check_layers, load_weights, read_weights
from kiwi.systems.config.architectures import LANGUAGE_MODELS, AnyModelConfig
from kiwi.systems.config.system import model_config_of
from kiwi.systems.config.tlm import TLMSystemConfig, resolve
from kiwi.systems.manifest.checkpoint import read_checkpoint_info
from kiwi.systems.outputs.translation_language_model import TARGET_PREFIX, language_model_loss, update_metrics
from kiwi.systems.system import System

logger = logging.getLogger(__name__)

FIELDS = (const.SOURCE, const.TARGET)


class TLMSystem(System):
    """A translation language model.

    Args:
        class_name: a key of :data:`kiwi.systems.config.architectures.LANGUAGE_MODELS`.
        model: the configuration of the encoder.
        vocabularies: the vocabularies of source and target.
    """

    Config: TypeAlias = TLMSystemConfig
    """The options of ``system``."""

    Dataset: TypeAlias = ParallelDataset
    """The class of its training data."""

    def __init__(self, class_name: str, model: AnyModelConfig, vocabularies: Mapping[str, Vocabulary]) -> None:
        super().__init__(class_name, model, vocabularies)
        encoder = LANGUAGE_MODELS[class_name].encoder
        self.encoder = encoder.build(model.encoder, vocabularies, with_source=False, with_language_model=True)
        self.collate = Collate(vocabularies)

    @override
    def losses(self, batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        return {"loss": language_model_loss(self.encoder.language_model(batch))}

    @override
    def accumulators(self) -> dict[str, Accumulator]:
        return {const.TARGET: LanguageModelMetrics(TARGET_PREFIX)}

    @override
    def validate(self, accumulators: Mapping[str, Accumulator], batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        metrics = accumulators[const.TARGET]
        assert isinstance(metrics, LanguageModelMetrics)
        return {"loss": update_metrics(metrics, self.encoder.language_model(batch))}

    @override
    def lengths(self, columns: Mapping[str, Sequence[str]]) -> Any:
        """Return the lengths in bytes, computed on access so that the text is not read as a whole."""
        sides: Any = [columns[field] for field in FIELDS]
        return LengthsInBytes(sides)

    @classmethod
    def resolve(cls, config: Config) -> Config:
        """Complete a configuration; see :func:`kiwi.systems.config.tlm.resolve`."""
        return resolve(config)

    @classmethod
    def missing_files(cls, config: Config, data: ParallelDataset.Config) -> dict[str, str]:
        """Return an empty dictionary: each part of parallel data has both of its files."""
        return {}

    @classmethod
    def read_datasets(
        cls, config: Config, data: ParallelDataset.Config, seed: int
    ) -> tuple[ParallelDataset, ParallelDataset]:
        """Read and validate the training and validation data.

        Args:
            config: the resolved configuration.
            data: the configuration of the data.
            seed: the random seed of a split.

        Raises:
            DataError: when a file is invalid.
        """
        return ParallelDataset.train_and_valid(data, seed)

    @classmethod
    def build(cls, config: Config, columns: Mapping[str, Sequence[str]]) -> Self:
        """Build a language model to train.

        Args:
            config: the resolved configuration.
            columns: the training data, from which vocabularies are built.
        """
        if config.load is not None:
            system = cls.load(config.load, config.model)
            system.metrics = {}
            return system
        assert config.class_name is not None
        if config.load_vocabs is not None:
            vocabularies = load_vocabularies(config.load_vocabs, FIELDS)
        else:
            vocabularies = build_vocabularies(columns, FIELDS, config.data_processing)
        for field, vocabulary in vocabularies.items():
            logger.info("Vocabulary of %s: %d entries.", field, len(vocabulary))
        system = cls(config.class_name, config.model, vocabularies)
        if config.data_processing.embeddings is not None:
            system.load_embeddings(config.data_processing)
        return system

    @classmethod
    @override
    def load(cls, path: Path, model: AnyModelConfig | None = None) -> Self:
        """Load a trained language model.

        Args:
            path: the checkpoint directory.
            model: a model configuration that differs only in options that the weights do not depend on; None keeps
                that of the checkpoint.

        Raises:
            CheckpointError: when the checkpoint is missing or damaged, or does not fit.
        """
        info = read_checkpoint_info(path)
        trained = model_config_of(info, path, LANGUAGE_MODELS)
        vocabularies = load_vocabularies(path, FIELDS)
        weights = read_weights(path, info)
        check_layers(trained.model_dump(), weights, path)
        build = partial(cls, info.class_name, model or trained, vocabularies)
        check_fit(build_on_meta(build, path, as_trained=model is None), weights, path)
        system = build()
        load_weights(system, weights, path)
        system._record_checkpoint(path, info)
        return system
