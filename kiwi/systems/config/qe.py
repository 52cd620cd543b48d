"""Options of a QE system, and what trained systems bring to them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

from kiwi import constants as const
from kiwi.data.text.vocabulary import DataProcessingConfig
from kiwi.exceptions import ConfigError
from kiwi.outputs import OUTPUTS
from kiwi.systems.config.architectures import ALL, ARCHITECTURES, ModelConfig
from kiwi.systems.config.system import (
    TRAINING_OPTIONS,
    Architectures,
    SystemConfig,
    check_form_of_loaded,
    model_config_of,
    sparse_mistake,
)
from kiwi.systems.manifest.checkpoint import read_checkpoint_info
from kiwi.systems.pretrained.model import HEAD_READERS
from kiwi.utils.io import BaseConfig

logger = logging.getLogger(__name__)


class QESystemConfig(SystemConfig):
    """Form of ``system``."""

    architectures: ClassVar[Architectures] = ARCHITECTURES

    load_encoder: Path | None = None
    """A trained system, of which the encoder (weights, vocabularies and configuration) is taken: a pretrained
    ``Predictor``, or another system of this kind; a directory, or a name on the hub."""

    def contradictions(self) -> dict[str, str]:
        """As :meth:`SystemConfig.contradictions`."""
        wrong = super().contradictions()
        if self.load is not None and self.load_encoder is not None:
            wrong["load_encoder"] = "load brings its own encoder; remove load_encoder"
        if self.class_name is not None and ARCHITECTURES[self.class_name].encoder.uses_pretrained:
            for name, value in (
                ("load_vocabs", self.load_vocabs),
                ("data_processing.embeddings", self.data_processing.embeddings),
            ):
                if value is not None:
                    wrong[name] = f"{self.class_name} reads pieces by the tokenizer of its encoder; remove {name}"
        return wrong

    @property
    def brings_encoder(self) -> str | None:
        """As :attr:`SystemConfig.brings_encoder`."""
        return super().brings_encoder or ("load_encoder" if self.load_encoder is not None else None)


def resolve(config: QESystemConfig) -> QESystemConfig:
    """The configuration with what trained systems bring: class and model of ``load``, encoder of ``load_encoder``.

    Raises:
        CheckpointError: when there is no trained system.
        ConfigError: when the configuration and the trained system do not agree.
    """
    config = config.located()
    stored = config.load or config.load_encoder or config.load_vocabs
    without_files = config.data_processing.model_copy(update={"embeddings": None})
    if config.class_name in ARCHITECTURES and ARCHITECTURES[config.class_name].encoder.uses_pretrained:
        if without_files != DataProcessingConfig():
            logger.warning("system.data_processing.vocab is not used: %s has a tokenizer.", config.class_name)
    elif stored is not None and without_files != DataProcessingConfig():
        logger.warning("system.data_processing.vocab is not used: the vocabularies of %s are.", stored)
    model: ModelConfig = config.model
    class_name = config.class_name
    if config.load is not None:
        info = read_checkpoint_info(config.load)
        if class_name not in (None, info.class_name):
            raise ConfigError(f"system.class_name is '{class_name}', but {config.load} is '{info.class_name}'.")
        class_name = info.class_name
        model = model_config_of(info, config.load, ARCHITECTURES, config.model or {})
        trained = model_config_of(info, config.load, ARCHITECTURES)
        check_form_of_loaded(model, trained, config.load)
        if ARCHITECTURES[class_name].encoder.uses_pretrained:
            _check_head(model, trained, config.load)
    elif config.load_encoder is not None:
        info = read_checkpoint_info(config.load_encoder)
        trained = model_config_of(info, config.load_encoder, ALL)
        if type(trained.encoder) is not type(model.encoder):
            raise ConfigError(
                f"system.load_encoder: found '{info.class_name}'; expected an encoder for '{class_name}'."
            )
        if ALL[info.class_name].encoder.uses_pretrained:
            _check_head(model, trained, config.load_encoder)
            # The model is the stored one; what is frozen or pooled of it is for the new system to say.
            encoder = model.encoder.model_copy(update={"model_name": dict(trained.encoder)["model_name"]})
        else:
            encoder, ignored = _taken_over(model.encoder, trained.encoder)
            if ignored:
                logger.warning(
                    "The encoder of %s is as it was trained; not used: %s.",
                    config.load_encoder,
                    ", ".join(f"system.model.encoder.{path}" for path in ignored),
                )
        model = model.model_copy(update={"encoder": encoder})
    decay = config.optimizer.layerwise_lr_decay if config.optimizer is not None else 1.0
    if decay != 1.0 and not ARCHITECTURES[class_name or ""].encoder.uses_pretrained:
        raise ConfigError(f"system.optimizer.layerwise_lr_decay: {class_name} has no pretrained layers; remove it.")
    if mistake := sparse_mistake(model, config.optimizer):
        raise ConfigError(f"system: {mistake}.")
    return config.model_copy(update={"class_name": class_name, "model": model})


def _taken_over(given: BaseConfig, trained: BaseConfig) -> tuple[BaseConfig, list[str]]:
    """The options of a trained encoder, with those of the configuration that its weights do not depend on.

    Returns:
        The options, and the paths of those that were given, differ, and are not used.
    """
    taken = trained.model_dump()
    ignored: list[str] = []

    def go_through(options: dict[str, Any], own: dict[str, Any], place: str) -> None:
        for key, value in options.items():
            if isinstance(value, dict) and isinstance(own[key], dict):
                go_through(value, own[key], f"{place}{key}.")
            elif key in TRAINING_OPTIONS or key == "use_mismatch_features":
                own[key] = value
            elif own[key] != value:
                ignored.append(f"{place}{key}")

    go_through(given.model_dump(exclude_unset=True), taken, "")
    return type(trained).model_validate(taken), ignored


def _check_head(model: ModelConfig, trained: ModelConfig, place: Path) -> None:
    """Refuse to read the language-modelling head of a trained system that has not kept it."""
    asked, there = (
        getattr(part.encoder, "reads_head", False) or part.tlm_outputs.fine_tune for part in (model, trained)
    )
    if asked and not there:
        raise ConfigError(
            f"system.model: {place} was trained without the language-modelling head of its model, which is needed for "
            f"{HEAD_READERS}. Switch these off, or start from the model itself (model_name)."
        )


def input_fields(class_name: str, model: ModelConfig) -> list[str]:
    """Fields of the data that a system of this class reads."""
    return ARCHITECTURES[class_name].encoder.input_fields(model.encoder)


def vocabulary_fields(class_name: str, model: ModelConfig) -> list[str]:
    """Fields for which a system of this class has vocabularies; a pretrained encoder has a tokenizer instead."""
    if ARCHITECTURES[class_name].encoder.uses_pretrained:
        return []
    return [field for field in input_fields(class_name, model) if field in const.TEXT_FIELDS]


def label_fields(model: ModelConfig) -> list[str]:
    """Files of labels that the outputs learn from; gap tags stand among the target tags."""
    return list(dict.fromkeys(OUTPUTS[name].label_field for name in model.outputs.names))
