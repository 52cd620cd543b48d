"""Quality estimation systems: an encoder, a decoder and outputs."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self, TypeAlias

from torch import Tensor
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.collate import Collate
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.files.lines import Columns
from kiwi.data.text.vocabulary import Vocabulary
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.metrics.accumulators import Accumulator, LanguageModelMetrics
from kiwi.outputs import names as output_names
from kiwi.systems.checkpoint import build_on_meta, check_fit, check_layers, load_weights, skip_init
from kiwi.systems.config.architectures import ARCHITECTURES, ModelConfig
from kiwi.systems.config.labels import find_missing_files, fit_labels, labelled_metrics, read_labelled
from kiwi.systems.config.qe import (
    QESystemConfig,
    input_fields,
    resolve,
    vocabulary_fields,
)
from kiwi.systems.config.start import encoder_weights, starting_model, starting_vocabularies
from kiwi.systems.config.system import model_config_of
from kiwi.systems.exported import read_trained_info, read_trained_vocabularies, read_trained_weights
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.outputs.quality_estimation import QEOutputs
from kiwi.systems.outputs.sentence_level import ScoreOutput
from kiwi.systems.outputs.translation_language_model import POST_EDIT_PREFIX, language_model_loss, update_metrics
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.system import System

logger = logging.getLogger(__name__)


class QESystem(System):
    """A system that estimates the quality of translations.

    Args:
        class_name: a key of :data:`kiwi.systems.config.architectures.ARCHITECTURES`.
        model: the configuration of encoder, decoder and outputs.
        vocabularies: the vocabularies of the text fields that the encoder reads.
        pretrained: the pretrained model that the encoder is built on, if any.
    """

    Config: TypeAlias = QESystemConfig
    """The options of ``system``."""

    Dataset: TypeAlias = WMTQEDataset
    """The class of its training data."""

    def __init__(
        self,
        class_name: str,
        model: ModelConfig,
        vocabularies: Mapping[str, Vocabulary],
        pretrained: Pretrained | None = None,
    ) -> None:
        super().__init__(class_name, model, vocabularies, pretrained)
        architecture = ARCHITECTURES[class_name]
        self.new_weights: tuple[str, ...] = ()
        """Prefixes of the weights that were not in the checkpoint and have been initialized."""
        self.encoder = architecture.encoder.build(
            model.encoder,
            vocabularies,
            pretrained,
            with_source=model.outputs.word_level.source,
            with_language_model=model.tlm_outputs.fine_tune,
        )
        spans = model.outputs.span_level
        self.collate = Collate(
            vocabularies,
            self.encoder.pieces,
            post_edit=model.tlm_outputs.fine_tune,
            severities=() if spans is None else spans.severities,
        )
        self.decoder = architecture.decoder.build(model.decoder, self.encoder.sizes)
        self.outputs = QEOutputs(model.outputs, self.decoder.sizes)

    def forward(self, batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        """Return the logits of each output, segments first."""
        logits: dict[str, Tensor] = self.outputs(self.decoder(self.encoder(batch), batch))
        return logits

    def values(self, batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        """Return predictions by output, segments first: probabilities of BAD, including padding, and scores."""
        return self.outputs.values(self(batch))

    @override
    def losses(self, batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        losses = self.outputs.loss(self(batch), batch)
        if batch.post_edit is not None:
            losses = _add_post_edit_loss(losses, language_model_loss(self.encoder.language_model(batch.post_edit)))
        return losses

    @override
    def accumulators(self) -> dict[str, Accumulator]:
        accumulators = self.outputs.accumulators()
        if self.model_config.tlm_outputs.fine_tune:
            accumulators[const.POST_EDIT] = LanguageModelMetrics(POST_EDIT_PREFIX)
        return accumulators

    @override
    def validate(self, accumulators: Mapping[str, Accumulator], batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        logits = self(batch)
        self.outputs.update(accumulators, logits, batch)
        losses = self.outputs.loss(logits, batch)
        if batch.post_edit is not None:
            metrics = accumulators[const.POST_EDIT]
            assert isinstance(metrics, LanguageModelMetrics)
            losses = _add_post_edit_loss(losses, update_metrics(metrics, self.encoder.language_model(batch.post_edit)))
        return losses

    @property
    def input_fields(self) -> list[str]:
        """The fields of the data that the system reads."""
        return input_fields(self.class_name, self.model_config)

    @classmethod
    def resolve(cls, config: Config) -> Config:
        """Complete a configuration; see :func:`kiwi.systems.config.qe.resolve`."""
        return resolve(config)

    @classmethod
    def missing_files(cls, config: Config, data: WMTQEDataset.Config) -> dict[str, str]:
        """Find the files that the system needs as input or labels and that are not configured.

        Args:
            config: the resolved configuration.
            data: the configuration of the data.

        Returns:
            The reason for each missing option, by dotted path.
        """
        return find_missing_files(config, data)

    @classmethod
    @override
    def metric_names(cls, config: Config, data: WMTQEDataset.Config) -> list[str]:
        return labelled_metrics(config, data)

    @classmethod
    def read_datasets(cls, config: Config, data: WMTQEDataset.Config, seed: int) -> tuple[WMTQEDataset, WMTQEDataset]:
        """Read and validate the training and validation data.

        Args:
            config: the resolved configuration, checked against ``data`` by :meth:`missing_files`.
            data: the configuration of the data.
            seed: the random seed of a split.

        Raises:
            DataError: when a file is invalid.
        """
        return read_labelled(config, data, seed)

    @classmethod
    @override
    def resolve_data(
        cls, config: Config, data: WMTQEDataset.Config, train: WMTQEDataset, valid: WMTQEDataset
    ) -> Config:
        return fit_labels(config, data, train, valid)

    @classmethod
    def build(cls, config: Config, columns: Columns) -> Self:
        """Build a system to train.

        Args:
            config: the resolved configuration.
            columns: the training data, from which vocabularies are built.
        """
        if config.load is not None:
            system = cls.load(config.load, config.model)
            system.outputs.fit(columns, new_weights=system.new_weights)
            system.encoder.check(training=True)
            system.encoder.prepare_training()
            system.metrics = {}
            return system
        assert config.class_name is not None
        pretrained = starting_model(config)
        system = cls(config.class_name, config.model, starting_vocabularies(config, columns), pretrained)
        system.outputs.fit(columns)
        if config.load_encoder is not None:
            system.load_encoder(config.load_encoder)
        elif config.data_processing.embeddings is not None:
            system.load_embeddings(config.data_processing)
        system.encoder.check(training=True)
        system.encoder.prepare_training()
        return system

    def load_encoder(self, path: Path) -> None:
        """Load the encoder of a trained system; the layers above a pretrained model are loaded only where they fit.

        Raises:
            CheckpointError: when weights are missing or do not fit.
        """
        fitting, optional = encoder_weights(path, self.encoder), self.encoder.optional_parts
        load_weights(self.encoder, fitting, path, allowed_missing=optional)

    @classmethod
    @override
    def load(cls, path: Path, model: ModelConfig | None = None) -> Self:
        """Load a trained system.

        Args:
            path: the checkpoint directory.
            model: a changed model configuration; None keeps that of the checkpoint. Outputs that the checkpoint does
                not have are newly initialized.

        Raises:
            CheckpointError: when the checkpoint is missing or damaged, or does not fit.
        """
        info = read_trained_info(path)
        trained = model_config_of(info, path, ARCHITECTURES)
        model = model or trained
        fields = vocabulary_fields(info.class_name, trained)
        uses_pretrained = ARCHITECTURES[info.class_name].encoder.uses_pretrained
        pretrained = Pretrained.from_checkpoint(path) if uses_pretrained else None
        vocabularies = read_trained_vocabularies(path, fields)
        weights = read_trained_weights(path, info)
        for options in (trained.model_dump(), {} if pretrained is None else pretrained.config):
            check_layers(options, weights, path)
        build = partial(cls, info.class_name, model, vocabularies, pretrained)
        on_meta = build_on_meta(build, path, as_trained=model == trained)
        changed = on_meta._output_weights(set(trained.outputs.names) ^ set(model.outputs.names))
        if trained.tlm_outputs.fine_tune and not model.tlm_outputs.fine_tune and uses_pretrained:
            own = on_meta.state_dict()  # drop the head where nothing reads it any more
            weights = {n: w for n, w in weights.items() if n in own or not n.startswith("encoder.head.")}
        if changed:
            logger.info("Outputs differ from those of %s: %s are newly initialized.", path, ", ".join(changed))
            weights = {name: tensor for name, tensor in weights.items() if not name.startswith(changed)}
        check_fit(on_meta, weights, path, allowed_missing=changed)
        with nullcontext() if changed else skip_init():
            system = build()
        load_weights(system, weights, path, allowed_missing=changed)
        try:
            system.encoder.check(training=False)
        except ConfigError as error:
            raise CheckpointError(f"{path}: {error}") from error
        system.new_weights = changed
        system._record_checkpoint(path, info)
        return system

    @override
    def adopt_data(self, info: DataInfo, columns: Columns) -> None:
        scores = [score for score in map(float, columns.get(const.SENTENCE_SCORES, ())) if not math.isnan(score)]
        own, new = self.data_info.score, info.score
        if not scores:
            info = replace(info, score=own)
        elif own is not None and new is not None and own.form != new.form:
            output = dict(self.outputs.items()).get(const.SENTENCE_SCORES)
            is_new = f"outputs.by_name.{const.SENTENCE_SCORES}.".startswith(self.new_weights)
            if isinstance(output, ScoreOutput) and not is_new:
                output.move(scores, turn=own.higher_is_better != new.higher_is_better)
                logger.info("Scores of the loaded system (%s) are brought to the scale of the data (%s).", own, new)
        super().adopt_data(info, columns)

    def weigh_scores(self, weight: float) -> None:
        """Change how much the score of a translation counts for its error spans.

        Args:
            weight: the value of ``span_level.score_weight``.
        """
        outputs = self.model_config.outputs
        spans = outputs.span_level.model_copy(update={"score_weight": weight})
        self.outputs.config = outputs.model_copy(update={"span_level": spans})
        self.model_config = self.model_config.model_copy(update={"outputs": self.outputs.config})

    def restrict_outputs(self, outputs: QEOutputs.Config) -> None:
        """Restrict predictions to some of the outputs of the system."""
        self.outputs.restrict(outputs.names)
        if outputs.span_level is None:
            self.collate.severities = ()
        self.model_config = self.model_config.model_copy(update={"outputs": outputs})

    def _output_weights(self, outputs: set[str]) -> tuple[str, ...]:
        """Return the prefixes of the weights that exist only with these outputs."""
        names = sorted(outputs)
        if const.SOURCE_TAGS not in outputs:
            return tuple(f"outputs.by_name.{name}." for name in names)
        if self.decoder.sentence_reads_source:
            names += [name for name in output_names(unit="segment") if name not in outputs]
        encoder = tuple(f"encoder.{part}" for part in self.encoder.source_parts)
        decoder = tuple(f"decoder.{part}" for part in self.decoder.source_parts)
        return (*(f"outputs.by_name.{name}." for name in names), *encoder, *decoder)


def _add_post_edit_loss(losses: dict[str, Tensor], loss: Tensor) -> dict[str, Tensor]:
    return {**losses, f"{POST_EDIT_PREFIX}_loss": loss, "loss": losses["loss"] + loss}
