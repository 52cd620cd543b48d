"""The options of a QE system, and their completion from trained systems."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from kiwi import constants as const
from kiwi.data.text.vocabulary import DataProcessingConfig
from kiwi.exceptions import ConfigError
from kiwi.outputs import OUTPUTS
from kiwi.systems.config.architectures import ALL, ARCHITECTURES, ModelConfig
from kiwi.systems.config.system import (
    TRAINING_OPTIONS,
    Architectures,
    SystemConfig,
    check_matches_trained,
    model_config_of,
    sparse_gradient_mistake,
)
from kiwi.systems.exported import read_trained_info
from kiwi.systems.outputs.options import Distribution, SentenceLevelConfig
from kiwi.systems.pretrained.weights import HEAD_READERS
from kiwi.utils.io import BaseConfig

logger = logging.getLogger(__name__)


class QESystemConfig(SystemConfig):
    """The options of ``system``."""

    architectures: ClassVar[Architectures] = ARCHITECTURES

    load_encoder: Path | None = None
    """A trained system that provides the initial encoder (weights, vocabularies and configuration), such as a
    pretrained ``Predictor`` or another QE system with the same encoder. Either a directory or a name on the model
    hub."""

    @override
    def find_conflicts(self) -> dict[str, str]:
        wrong = super().find_conflicts()
        if self.load is not None and self.load_encoder is not None:
            wrong["load_encoder"] = "load brings its own encoder; remove load_encoder"
        if self.class_name is not None and ARCHITECTURES[self.class_name].encoder.uses_pretrained:
            for name, value in (
                ("load_vocabs", self.load_vocabs),
                ("data_processing.embeddings", self.data_processing.embeddings),
            ):
                if value is not None:
                    wrong[name] = f"{self.class_name} uses the tokenizer of its pretrained encoder; remove {name}"
        return wrong

    @property
    @override
    def encoder_option(self) -> str | None:
        return super().encoder_option or ("load_encoder" if self.load_encoder is not None else None)


def resolve(config: QESystemConfig) -> QESystemConfig:
    """Complete a configuration with the class and model of ``load``, or with the encoder of ``load_encoder``.

    Raises:
        CheckpointError: when a trained system is missing or damaged.
        ConfigError: when the configuration conflicts with the trained system.
    """
    config = config.with_local_paths()
    stored = config.load or config.load_encoder or config.load_vocabs
    without_files = config.data_processing.model_copy(update={"embeddings": None})
    if config.class_name in ARCHITECTURES and ARCHITECTURES[config.class_name].encoder.uses_pretrained:
        if without_files != DataProcessingConfig():
            logger.warning("system.data_processing.vocab is not used, since %s has a tokenizer.", config.class_name)
    elif stored is not None and without_files != DataProcessingConfig():
        logger.warning("system.data_processing.vocab is not used, since vocabularies are loaded from %s.", stored)
    model: ModelConfig = config.model
    class_name = config.class_name
    if config.load is not None:
        info = read_trained_info(config.load)
        if class_name not in (None, info.class_name):
            raise ConfigError(
                f"system.class_name: found '{class_name}', but {config.load} is a '{info.class_name}'. "
                "Remove system.class_name."
            )
        class_name = info.class_name
        trained = model_config_of(info, config.load, ARCHITECTURES)
        level = _check_distribution(config.model or {}, trained, config.load)
        model = model_config_of(info, config.load, ARCHITECTURES, config.model or {})
        check_matches_trained(model, trained, config.load)
        model = _keep_distribution(model, trained, level)
        if ARCHITECTURES[class_name].encoder.uses_pretrained:
            _check_head(model, trained, config.load)
    elif config.load_encoder is not None:
        info = read_trained_info(config.load_encoder)
        trained = model_config_of(info, config.load_encoder, ALL)
        if type(trained.encoder) is not type(model.encoder):
            raise ConfigError(
                f"system.load_encoder: found '{info.class_name}'; expected an encoder for '{class_name}'."
            )
        if ALL[info.class_name].encoder.uses_pretrained:
            _check_head(model, trained, config.load_encoder)
            # The pretrained model is the stored one; how it is frozen and pooled is up to the new system.
            encoder = model.encoder.model_copy(update={"model_name": dict(trained.encoder)["model_name"]})
        else:
            encoder, ignored = _merge_encoder_options(model.encoder, trained.encoder)
            if ignored:
                logger.warning(
                    "The encoder of %s keeps the options that it was trained with; not used: %s.",
                    config.load_encoder,
                    ", ".join(f"system.model.encoder.{path}" for path in ignored),
                )
        model = model.model_copy(update={"encoder": encoder})
    decay = config.optimizer.layerwise_lr_decay if config.optimizer is not None else 1.0
    if decay != 1.0 and not ARCHITECTURES[class_name or ""].encoder.uses_pretrained:
        raise ConfigError(f"system.optimizer.layerwise_lr_decay: {class_name} has no pretrained layers; remove it.")
    if mistake := sparse_gradient_mistake(model, config.optimizer):
        raise ConfigError(f"system: {mistake}.")
    return config.model_copy(update={"class_name": class_name, "model": model})


def with_sentence_level(config: Any, options: SentenceLevelConfig) -> Any:
    """Return the options of a model, or of a system with one, with these options of sentence-level outputs."""
    if isinstance(config, QESystemConfig):
        return config.model_copy(update={"model": with_sentence_level(config.model, options)})
    outputs = config.outputs.model_copy(update={"sentence_level": options})
    return config.model_copy(update={"outputs": outputs})


def _check_distribution(given: Mapping[str, Any], trained: ModelConfig, place: Path) -> Mapping[str, Any]:
    """Reject another form of the distribution than that which a system was trained with.

    Returns:
        The configured options of sentence-level outputs.
    """
    level: Mapping[str, Any] = (given.get("outputs") or {}).get("sentence_level") or {}
    own = trained.outputs.sentence_level
    form: Distribution = "truncated" if own.is_truncated else "gaussian"
    if own.use_distribution and level.get("distribution") not in (None, form):
        raise ConfigError(
            f"system.model.outputs.sentence_level.distribution: found '{level['distribution']}', but {place} was "
            f"trained with '{form}'. Remove it, or load only the encoder with system.load_encoder."
        )
    return level


def _keep_distribution(model: ModelConfig, trained: ModelConfig, given: Mapping[str, Any]) -> ModelConfig:
    """Return the options of a model with the form of the distribution that the system was trained with.

    The loss of a Gaussian on any scale depends on the new data, unless it is configured.
    """
    level, own = model.outputs.sentence_level, trained.outputs.sentence_level
    if not (level.use_distribution and own.use_distribution):
        return model
    form: Distribution = "truncated" if own.is_truncated else "gaussian"
    loss = level.distribution_loss if form == "truncated" or "distribution_loss" in given else None
    changes = {"distribution": form, "distribution_loss": loss}
    found: ModelConfig = with_sentence_level(model, level.model_copy(update=changes))
    return found


def _merge_encoder_options(given: BaseConfig, trained: BaseConfig) -> tuple[BaseConfig, list[str]]:
    """Merge the options of a trained encoder with configured options that its weights do not depend on.

    Returns:
        The merged options, and the paths of the configured options that differ from them and are ignored.
    """
    merged = trained.model_dump()
    ignored: list[str] = []

    def merge(options: dict[str, Any], own: dict[str, Any], prefix: str) -> None:
        for key, value in options.items():
            if isinstance(value, dict) and isinstance(own[key], dict):
                merge(value, own[key], f"{prefix}{key}.")
            elif key in TRAINING_OPTIONS or key == "use_mismatch_features":
                own[key] = value
            elif own[key] != value:
                ignored.append(f"{prefix}{key}")

    merge(given.model_dump(exclude_unset=True), merged, "")
    return type(trained).model_validate(merged), ignored


def _check_head(model: ModelConfig, trained: ModelConfig, place: Path) -> None:
    """Reject options that need the language-modelling head of a trained system that was saved without it."""
    needed, available = (
        getattr(part.encoder, "reads_head", False) or part.tlm_outputs.fine_tune for part in (model, trained)
    )
    if needed and not available:
        raise ConfigError(
            f"system.model: {place} was trained without the language-modelling head of its model, which is required by "
            f"{HEAD_READERS}. Switch these off, or start from the pretrained model itself (model_name)."
        )


def input_fields(class_name: str, model: ModelConfig) -> list[str]:
    """Return the fields of the data that a system of this class reads."""
    return ARCHITECTURES[class_name].encoder.input_fields(model.encoder)


def vocabulary_fields(class_name: str, model: ModelConfig) -> list[str]:
    """Return the fields for which a system of this class has vocabularies; pretrained encoders have none."""
    if ARCHITECTURES[class_name].encoder.uses_pretrained:
        return []
    return [field for field in input_fields(class_name, model) if field in const.TEXT_FIELDS]


def label_fields(model: ModelConfig) -> list[tuple[str, ...]]:
    """Return the label files of which the outputs need one each; gap tags are part of the file of target tags."""
    return list(dict.fromkeys(OUTPUTS[name].label_fields for name in model.outputs.names))
