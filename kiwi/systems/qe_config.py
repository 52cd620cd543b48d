"""Options of a QE system, and what trained systems bring to them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt, PositiveInt, ValidationInfo, field_validator, model_validator

from kiwi import constants as const
from kiwi.data.vocabulary import DataProcessingConfig
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.architectures import ARCHITECTURES, ModelConfig
from kiwi.systems.base import SPARSE_OPTIMIZERS, BatchSizes, OptimizerConfig
from kiwi.systems.checkpoint import CheckpointInfo, read_checkpoint_info
from kiwi.systems.encoders.quetch import TokenEmbeddingsConfig
from kiwi.systems.pretrained import HEAD_READERS
from kiwi.utils.io import BaseConfig, did_you_mean, mistakes

logger = logging.getLogger(__name__)


class QESystemConfig(BaseConfig):
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
    def check_what_to_build(self) -> QESystemConfig:
        """Something to build, or something to load; and nothing that would be overridden."""
        wrong: dict[str, str] = {}
        if self.load is None and self.class_name is None:
            known = ", ".join(ARCHITECTURES)
            wrong["class_name"] = f"one of class_name and load is required (class_name: {known})"
        if self.load is None and self.model is None:
            wrong["model"] = "model is required unless load is given"
        if self.load is not None:
            for name in ("load_encoder", "load_vocabs"):
                if getattr(self, name) is not None:
                    wrong[name] = "load brings its own encoder and vocabularies; remove load_encoder and load_vocabs"
        elif self.load_encoder is not None and self.load_vocabs is not None:
            wrong["load_vocabs"] = "load_encoder brings its own vocabularies; remove load_vocabs"
        if (self.load or self.load_encoder) and self.data_processing.embeddings is not None:
            owner = "load" if self.load else "load_encoder"
            wrong["data_processing.embeddings"] = (
                f"{owner} brings its own embeddings; remove data_processing.embeddings"
            )
        if isinstance(self.model, ModelConfig) and self.load_encoder is None:
            mistake = _sparse_mistake(self.model, self.optimizer)
            if mistake:
                wrong["model"] = mistake
        if self.class_name is not None and ARCHITECTURES[self.class_name].encoder.uses_pretrained:
            for name, value in (
                ("load_vocabs", self.load_vocabs),
                ("data_processing.embeddings", self.data_processing.embeddings),
            ):
                if value is not None:
                    wrong[name] = f"{self.class_name} reads pieces by the tokenizer of its encoder; remove {name}"
        if wrong:
            raise mistakes("QESystemConfig", wrong)
        return self

    def batch_size_for(self, use: str) -> int:
        """Segments in a batch for ``train``, ``valid`` or ``test``."""
        size: int = getattr(self.batch_size, use) if isinstance(self.batch_size, BatchSizes) else self.batch_size
        return size


def resolve(config: QESystemConfig) -> QESystemConfig:
    """The configuration with what trained systems bring: class and model of ``load``, encoder of ``load_encoder``.

    Raises:
        CheckpointError: when there is no trained system.
        ConfigError: when the configuration and the trained system do not agree.
    """
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
        model = model_config_of(info, config.load, changes=config.model or {})
        _check_form(model, model_config_of(info, config.load), config.load)
    elif config.load_encoder is not None:
        info = read_checkpoint_info(config.load_encoder)
        trained = model_config_of(info, config.load_encoder)
        encoder = trained.encoder
        if type(encoder) is not type(model.encoder):
            raise ConfigError(
                f"system.load_encoder: found '{info.class_name}'; expected an encoder for '{class_name}'."
            )
        if ARCHITECTURES[info.class_name].encoder.uses_pretrained:
            _check_head(model, trained, config.load_encoder)
            # The model is the stored one; what is frozen or pooled of it is for the new system to say.
            encoder = model.encoder.model_copy(update={"model_name": dict(encoder)["model_name"]})
        elif encoder != model.encoder:
            logger.warning("system.model.encoder gives way to the one in %s, which differs.", config.load_encoder)
        model = model.model_copy(update={"encoder": encoder})
    decay = config.optimizer.layerwise_lr_decay if config.optimizer is not None else 1.0
    if decay != 1.0 and not ARCHITECTURES[class_name or ""].encoder.uses_pretrained:
        raise ConfigError(f"system.optimizer.layerwise_lr_decay: {class_name} has no pretrained layers; remove it.")
    if mistake := _sparse_mistake(model, config.optimizer):
        raise ConfigError(f"system: {mistake}.")
    return config.model_copy(update={"class_name": class_name, "model": model})


TRAINING_OPTIONS = frozenset(
    {
        "dropout",
        "freeze",
        "freeze_for_number_of_steps",
        "freeze_layers",
        "gradient_checkpointing",
        "interleave_input",
        "keep_frozen_states",
        "lora",
        "scalar_mix_dropout",
        "source_max_length",
        "sparse_embeddings",
        "target_max_length",
    }
)
"""Options of encoders and decoders that a trained system may be trained on with; all others decide the form of its
weights, or what they mean."""


def _check_form(model: ModelConfig, trained: ModelConfig, place: Path) -> None:
    """Refuse what would not fit the weights of a trained system."""
    wrong: dict[str, str] = {}
    for part in ("encoder", "decoder"):
        given, former = getattr(model, part).model_dump(), getattr(trained, part).model_dump()
        for path, (value, own) in _differences(given, former, part).items():
            mixes_layers = path == "encoder.freeze_layers" and given["scalar_mix"]
            if not TRAINING_OPTIONS.intersection(path.split(".")) or mixes_layers:
                wrong[path] = f"found {value!r}, but {place} was trained with {own!r}, which its weights depend on"
    if wrong:
        listing = "\n".join(f"  system.model.{path}: {reason}" for path, reason in wrong.items())
        raise ConfigError(
            f"Options that do not fit the trained system:\n{listing}\nRemove them, or start from the pretrained model "
            "alone with system.load_encoder."
        )
    _check_head(model, trained, place)


def _differences(given: Any, former: Any, place: str) -> dict[str, tuple[Any, Any]]:
    """Values that differ, by dotted path."""
    if not isinstance(given, Mapping) or not isinstance(former, Mapping):
        return {place: (given, former)} if given != former else {}
    found: dict[str, tuple[Any, Any]] = {}
    for key in given:
        found |= _differences(given[key], former.get(key), f"{place}.{key}")
    return found


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
    return form.from_dict(_merged(info.model, changes), place="system.model") if changes else trained


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def sparse_fields(model: ModelConfig) -> list[str]:
    """Fields whose embeddings have sparse gradients."""
    embeddings: Any = getattr(model.encoder, "embeddings", None) or ()
    return [
        field
        for field, options in embeddings
        if isinstance(options, TokenEmbeddingsConfig) and options.sparse_embeddings
    ]


def _sparse_mistake(model: ModelConfig, optimizer: OptimizerConfig | None) -> str | None:
    sparse = sparse_fields(model)
    if not sparse or optimizer is None or optimizer.class_name in SPARSE_OPTIMIZERS:
        return None
    return (
        f"model.encoder.embeddings.{sparse[0]}.sparse_embeddings needs an optimizer that takes sparse gradients "
        f"({', '.join(SPARSE_OPTIMIZERS)}); found '{optimizer.class_name}'"
    )
