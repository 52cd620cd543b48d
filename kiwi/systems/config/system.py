"""Options that every system has, and what a trained system brings to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import NonNegativeInt, PositiveInt, ValidationInfo, field_validator, model_validator

from kiwi.data.text.vocabulary import DataProcessingConfig
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.config.architectures import (
    ALL,
    ARCHITECTURES,
    AnyModelConfig,
    Architecture,
    LanguageModelArchitecture,
)
from kiwi.systems.config.optimizer import SPARSE_OPTIMIZERS, BatchSizes, OptimizerConfig
from kiwi.systems.encoders.word_embeddings import TokenEmbeddingsConfig
from kiwi.systems.manifest.checkpoint import CheckpointInfo
from kiwi.systems.pretrained.hub import locate
from kiwi.utils.io import BaseConfig, did_you_mean, mistakes

Architectures = Mapping[str, Architecture | LanguageModelArchitecture]


class SystemConfig(BaseConfig):
    """Form of ``system``, as far as all systems share it."""

    architectures: ClassVar[Architectures]
    """What ``class_name`` may name."""

    class_name: str | None = None
    """Architecture, such as ``NuQE``; required unless ``load`` is given."""

    load: Path | None = None
    """A trained system, whose weights, vocabularies and configuration are taken: a directory, which never asks the
    network, or ``organization/name`` on the model hub, perhaps with ``@revision``."""

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
        if value is not None and value not in cls.architectures:
            if value in ALL:
                other = "kiwi train" if value in ARCHITECTURES else "kiwi pretrain"
                raise ValueError(f"'{value}' is for {other}; here are: {', '.join(cls.architectures)}")
            raise ValueError(f"'{value}' is not a system; {did_you_mean(value, cls.architectures)}")
        return value

    @field_validator("model")
    @classmethod
    def check_form(cls, value: Any, info: ValidationInfo) -> Any:
        """As the class says; with ``load``, the class is known only when the system is loaded."""
        class_name = info.data.get("class_name")
        if value is not None and not isinstance(value, Mapping | AnyModelConfig):
            raise ValueError(f"found {value!r}; expected options by name")
        if value is None or class_name is None or info.data.get("load") is not None:
            return value
        return cls.architectures[class_name].config.model_validate(value)

    @model_validator(mode="after")
    def check_what_to_build(self) -> SystemConfig:
        """Something to build, or something to load; and nothing that would be overridden."""
        if wrong := self.contradictions():
            raise mistakes(type(self).__name__, wrong)
        return self

    def contradictions(self) -> dict[str, str]:
        """What is missing, and what excludes each other: dotted path to reason."""
        wrong: dict[str, str] = {}
        if self.load is None and self.class_name is None:
            known = ", ".join(self.architectures)
            wrong["class_name"] = f"one of class_name and load is required (class_name: {known})"
        if self.load is None and self.model is None:
            wrong["model"] = "model is required unless load is given"
        if (owner := self.brings_encoder) is not None:
            if self.load_vocabs is not None:
                wrong["load_vocabs"] = f"{owner} brings its own vocabularies; remove load_vocabs"
            if self.data_processing.embeddings is not None:
                reason = f"{owner} brings its own embeddings; remove data_processing.embeddings"
                wrong["data_processing.embeddings"] = reason
        is_new = self.brings_encoder is None and isinstance(self.model, AnyModelConfig)
        if is_new and (mistake := sparse_mistake(self.model, self.optimizer)):
            wrong["model"] = mistake
        return wrong

    @property
    def brings_encoder(self) -> str | None:
        """The option that names a trained system whose encoder is taken, if one does."""
        return "load" if self.load is not None else None

    def located(self) -> Self:
        """With the directories of the trained systems that are named, fetched from the hub where they are not here.

        Raises:
            CheckpointError: when one is not to be had.
        """
        names = [name for name in ("load", "load_encoder", "load_vocabs") if getattr(self, name, None) is not None]
        return self.model_copy(update={name: locate(getattr(self, name)) for name in names})

    def batch_size_for(self, use: str) -> int:
        """Segments in a batch for ``train``, ``valid`` or ``test``."""
        size: int = getattr(self.batch_size, use) if isinstance(self.batch_size, BatchSizes) else self.batch_size
        return size


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
        "sampled_words",
        "sparse_embeddings",
        "target_max_length",
    }
)
"""Options of encoders and decoders that a trained system may be trained on with; all others decide the form of its
weights, or what they mean."""


def check_form_of_loaded(model: AnyModelConfig, trained: AnyModelConfig, place: Path) -> None:
    """Refuse what would not fit the weights of a trained system."""
    wrong: dict[str, str] = {}
    for part in ("encoder", "decoder"):
        given, former = (getattr(config, part, BaseConfig()).model_dump() for config in (model, trained))
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


def _differences(given: Any, former: Any, place: str) -> dict[str, tuple[Any, Any]]:
    """Values that differ, by dotted path."""
    if not isinstance(given, Mapping) or not isinstance(former, Mapping):
        return {place: (given, former)} if given != former else {}
    found: dict[str, tuple[Any, Any]] = {}
    for key in given:
        found |= _differences(given[key], former.get(key), f"{place}.{key}")
    return found


def model_config_of(
    info: CheckpointInfo, place: Path, architectures: Architectures, changes: Mapping[str, Any] | None = None
) -> Any:
    """The configuration of a trained system's parts, perhaps with changes.

    Args:
        info: of the trained system.
        place: where it is, for errors.
        architectures: what it may be.
        changes: options of ``model`` that are to differ.

    Raises:
        CheckpointError: when the checkpoint's own is not valid.
        ConfigError: when the changes are not.
    """
    if info.class_name not in ALL:
        raise CheckpointError(f"{place}: '{info.class_name}' is not a system; {did_you_mean(info.class_name, ALL)}")
    if info.class_name not in architectures:
        advice = "give it to system.load_encoder" if info.class_name not in ARCHITECTURES else "use it with kiwi train"
        raise CheckpointError(
            f"{place}: found '{info.class_name}'; expected one of {', '.join(architectures)}. It is another kind of "
            f"system: {advice}."
        )
    form = architectures[info.class_name].config
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


def sparse_fields(model: AnyModelConfig) -> list[str]:
    """Fields whose embeddings have sparse gradients."""
    embeddings: Any = getattr(model.encoder, "embeddings", None) or ()
    return [
        field
        for field, options in embeddings
        if isinstance(options, TokenEmbeddingsConfig) and options.sparse_embeddings
    ]


def sparse_mistake(model: AnyModelConfig, optimizer: OptimizerConfig | None) -> str | None:
    """What is wrong with an optimizer that does not take the sparse gradients of a system."""
    sparse = sparse_fields(model)
    if not sparse or optimizer is None or optimizer.class_name in SPARSE_OPTIMIZERS:
        return None
    return (
        f"model.encoder.embeddings.{sparse[0]}.sparse_embeddings needs an optimizer that takes sparse gradients "
        f"({', '.join(SPARSE_OPTIMIZERS)}); found '{optimizer.class_name}'"
    )
