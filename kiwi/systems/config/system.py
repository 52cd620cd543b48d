"""The options that all systems share, and their completion from a trained system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, PositiveInt, ValidationInfo, field_validator, model_validator

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
    """The options of ``system`` that all systems share."""

    architectures: ClassVar[Architectures]
    """The architectures that ``class_name`` may name."""

    class_name: str | None = None
    """The name of the architecture, such as ``NuQE``; required unless ``load`` is given."""

    load: Path | None = None
    """A trained system that provides the initial weights, vocabularies and configuration. Either a directory, of a
    checkpoint, of a run, whose best model it is, or of an exported system, or the name of an installed model, which
    are read without network access; or ``organization/name`` on the model hub, optionally followed by
    ``@revision``."""

    load_vocabs: Path | None = None
    """A trained system, or its ``vocab.json``, that provides the vocabularies."""

    model: Any = None
    """The options of encoder, decoder and outputs, which depend on ``class_name``. With ``load``, only the options that
    differ from those of the trained system."""

    data_processing: DataProcessingConfig = DataProcessingConfig()
    """The vocabularies and pretrained embeddings."""

    optimizer: OptimizerConfig | None = None
    """The optimizer and its learning rate; required for training."""

    batch_size: PositiveInt | BatchSizes = 1
    """The number of segments in a batch, as one value or as one for each of ``train``, ``valid`` and ``test``."""

    num_data_workers: Annotated[int, Field(ge=0, le=1024)] = 4
    """The number of processes that prepare batches, at most one per core; 0 prepares them in the main process."""

    @field_validator("class_name")
    @classmethod
    def check_known(cls, value: str | None) -> str | None:
        """Reject names that are not in the table of architectures."""
        if value is not None and value not in cls.architectures:
            if value in ALL:
                other = "kiwi train" if value in ARCHITECTURES else "kiwi pretrain"
                raise ValueError(f"'{value}' is for {other}; expected one of {', '.join(cls.architectures)}")
            raise ValueError(f"'{value}' is not a system; {did_you_mean(value, cls.architectures)}")
        return value

    @field_validator("model")
    @classmethod
    def check_form(cls, value: Any, info: ValidationInfo) -> Any:
        """Validate the options of the class, except with ``load``, where the class is known only after loading."""
        class_name = info.data.get("class_name")
        if value is not None and not isinstance(value, Mapping | AnyModelConfig):
            raise ValueError(f"found {value!r}; expected options by name")
        if value is None or class_name is None or info.data.get("load") is not None:
            return value
        return cls.architectures[class_name].config.model_validate(value)

    @model_validator(mode="after")
    def check_what_to_build(self) -> SystemConfig:
        """Require something to build or to load, and reject options that would be overridden."""
        if wrong := self.find_conflicts():
            raise mistakes(type(self).__name__, wrong)
        return self

    def find_conflicts(self) -> dict[str, str]:
        """Return the reason for each missing or conflicting option, by dotted path."""
        wrong: dict[str, str] = {}
        if self.load is None and self.class_name is None:
            known = ", ".join(self.architectures)
            wrong["class_name"] = f"one of class_name and load is required (class_name: {known})"
        if self.load is None and self.model is None:
            wrong["model"] = "model is required unless load is given"
        if (owner := self.encoder_option) is not None:
            if self.load_vocabs is not None:
                wrong["load_vocabs"] = f"{owner} brings its own vocabularies; remove load_vocabs"
            if self.data_processing.embeddings is not None:
                reason = f"{owner} brings its own embeddings; remove data_processing.embeddings"
                wrong["data_processing.embeddings"] = reason
        is_new = self.encoder_option is None and isinstance(self.model, AnyModelConfig)
        if is_new and (mistake := sparse_gradient_mistake(self.model, self.optimizer)):
            wrong["model"] = mistake
        return wrong

    @property
    def encoder_option(self) -> str | None:
        """The name of the option that loads the encoder of a trained system, if one is set."""
        return "load" if self.load is not None else None

    def with_local_paths(self) -> Self:
        """Replace names of trained systems by local directories, downloading from the hub what is not on this machine.

        Raises:
            CheckpointError: when a trained system is not found.
        """
        names = [name for name in ("load", "load_encoder", "load_vocabs") if getattr(self, name, None) is not None]
        return self.model_copy(update={name: locate(getattr(self, name)) for name in names})

    def batch_size_for(self, use: str) -> int:
        """Return the number of segments in a batch for ``train``, ``valid`` or ``test``."""
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
"""The options of encoders and decoders that may change when a trained system is trained further. All others determine
the shapes of its weights, or their meaning."""


def check_matches_trained(model: AnyModelConfig, trained: AnyModelConfig, place: Path) -> None:
    """Reject options that do not fit the weights of a trained system."""
    wrong: dict[str, str] = {}
    for part in ("encoder", "decoder"):
        given, stored = (getattr(config, part, BaseConfig()).model_dump() for config in (model, trained))
        for path, (value, own) in _differences(given, stored, part).items():
            mixes_layers = path == "encoder.freeze_layers" and given["scalar_mix"]
            if not TRAINING_OPTIONS.intersection(path.split(".")) or mixes_layers:
                wrong[path] = f"found {value!r}, but {place} was trained with {own!r}, which determines its weights"
    if wrong:
        listing = "\n".join(f"  system.model.{path}: {reason}" for path, reason in wrong.items())
        raise ConfigError(
            f"Options that do not fit the trained system:\n{listing}\nRemove them, or load only its encoder with "
            "system.load_encoder."
        )


def _differences(given: Any, stored: Any, path: str) -> dict[str, tuple[Any, Any]]:
    """Return the pairs of values that differ, by dotted path."""
    if not isinstance(given, Mapping) or not isinstance(stored, Mapping):
        return {path: (given, stored)} if given != stored else {}
    found: dict[str, tuple[Any, Any]] = {}
    for key in given:
        found |= _differences(given[key], stored.get(key), f"{path}.{key}")
    return found


def model_config_of(
    info: CheckpointInfo, place: Path, architectures: Architectures, changes: Mapping[str, Any] | None = None
) -> Any:
    """Return the model configuration of a trained system, with changes applied.

    Args:
        info: the metadata of the trained system.
        place: its path, for error messages.
        architectures: the architectures that are accepted.
        changes: the options of ``model`` to change.

    Raises:
        CheckpointError: when the configuration in the checkpoint is invalid.
        ConfigError: when the changes are invalid.
    """
    if info.class_name not in ALL:
        raise CheckpointError(f"{place}: '{info.class_name}' is not a system; {did_you_mean(info.class_name, ALL)}")
    if info.class_name not in architectures:
        advice = "give it to system.load_encoder" if info.class_name not in ARCHITECTURES else "use it with kiwi train"
        raise CheckpointError(
            f"{place}: found '{info.class_name}'; expected one of {', '.join(architectures)}. It is another kind of "
            f"system; {advice}."
        )
    form = architectures[info.class_name].config
    try:
        trained = form.from_dict(info.model)
    except ConfigError as error:
        raise CheckpointError(
            f"{place}: the checkpoint is damaged, or was written by another version of kiwi. {error}"
        ) from error
    return form.from_dict(_merged(info.model, changes), place="system.model") if changes else trained


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def sparse_fields(model: AnyModelConfig) -> list[str]:
    """Return the fields whose embeddings have sparse gradients."""
    embeddings: Any = getattr(model.encoder, "embeddings", None) or ()
    return [
        field
        for field, options in embeddings
        if isinstance(options, TokenEmbeddingsConfig) and options.sparse_embeddings
    ]


def sparse_gradient_mistake(model: AnyModelConfig, optimizer: OptimizerConfig | None) -> str | None:
    """Return an error message if the system has sparse gradients and the optimizer does not support them."""
    sparse = sparse_fields(model)
    if not sparse or optimizer is None or optimizer.class_name in SPARSE_OPTIMIZERS:
        return None
    return (
        f"model.encoder.embeddings.{sparse[0]}.sparse_embeddings needs an optimizer that supports sparse gradients "
        f"({', '.join(SPARSE_OPTIMIZERS)}); found '{optimizer.class_name}'"
    )
