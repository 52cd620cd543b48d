"""Ranges of a search: from its options to dotted keys of the training configuration and the values to try there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from kiwi import constants as const
from kiwi.lib.search.config import Configuration, Range
from kiwi.outputs import OUTPUTS
from kiwi.utils.dotted import flatten

SWITCHES = "system.model.outputs"
LEARNING_RATE, WARMUP = "system.optimizer.learning_rate", "system.optimizer.warmup_steps"
FREEZE = "system.model.encoder.freeze_for_number_of_steps"
TAGS = {name: OUTPUTS[name].switch.removeprefix("word_level.") for name in const.WORD_LEVEL}


@dataclass(frozen=True)
class SearchRange:
    """An option of the search, with the values to try."""

    name: str
    """Name of the parameter in the study."""

    option: str
    """Dotted path of the option, for error messages."""

    keys: tuple[str, ...]
    """Dotted keys of the training configuration, which all get the same value."""

    values: Range
    """The values to try."""

    kind: Literal["value", "switch", "epochs"] = "value"
    """The way in which a value is applied. A ``switch`` that is off turns its keys off; ``epochs`` become optimizer
    steps."""

    refusal: str | None = None
    """The reason why the option cannot be searched with the base configuration; None when none is known."""


def list_ranges(config: Configuration, system: Any) -> list[SearchRange]:
    """Return all ranges of a search, in the order in which their values are drawn.

    Args:
        config: the configuration of the search.
        system: the options of the base configuration's system.
    """
    options = config.options
    return [
        *_list_option_ranges(config, system),
        *_list_class_weights(config, system),
        *_list_sentence_weight(config, system),
        *_list_switches(config, system),
        *(SearchRange(key, f"options.space.{key}", (key,), values) for key, values in options.space.items()),
    ]


def _list_option_ranges(config: Configuration, system: Any) -> Iterator[SearchRange]:
    options, learning_rate = config.options, config.options.learning_rate
    is_given = "learning_rate" in options.model_fields_set
    if learning_rate is not None and (is_given or LEARNING_RATE not in options.space):
        yield SearchRange("learning_rate", "options.learning_rate", (LEARNING_RATE,), learning_rate)
    if options.warmup_steps is not None:
        yield SearchRange("warmup_steps", "options.warmup_steps", (WARMUP,), options.warmup_steps)
    for name in ("dropout", "hidden_size", "bottleneck_size"):
        if (values := getattr(options, name)) is not None:
            yield _model_range(name, _find_keys(config, system, name), values, system)
    if options.freeze_epochs is not None:
        yield SearchRange("freeze_epochs", "options.freeze_epochs", (FREEZE,), options.freeze_epochs, "epochs")


def _list_class_weights(config: Configuration, system: Any) -> Iterator[SearchRange]:
    weights, outputs = config.options.class_weights, system.model.outputs.word_level
    for tags, output in TAGS.items():
        key, option = f"{SWITCHES}.word_level.class_weights.{tags}.BAD", f"options.class_weights.{tags}"
        values, is_given, is_on = getattr(weights, tags), tags in weights.model_fields_set, getattr(outputs, output)
        refusal = None if is_on else f"base_config.{SWITCHES}.word_level.{output} is off; turn it on, or remove this"
        if values is not None and (is_given or (is_on and key not in config.options.space)):
            yield SearchRange(f"class_weights.{tags}", option, (key,), values, refusal=refusal)


def _list_sentence_weight(config: Configuration, system: Any) -> Iterator[SearchRange]:
    options, outputs = config.options, system.model.outputs
    key, values = f"{SWITCHES}.sentence_loss_weight", options.sentence_loss_weight
    is_given = "sentence_loss_weight" in options.model_fields_set
    is_on = outputs.sentence_level.hter or outputs.sentence_level.binary
    is_default = is_on and _list_word_outputs(system) and key not in options.space
    refusal = None if is_on else f"base_config.{SWITCHES}.sentence_level has no output that is on"
    if values is not None and (is_given or is_default):
        yield SearchRange("sentence_loss_weight", "options.sentence_loss_weight", (key,), values, refusal=refusal)


def _list_switches(config: Configuration, system: Any) -> Iterator[SearchRange]:
    options = config.options
    if options.search_mlp:
        yield _model_range("search_mlp", _find_keys(config, system, "use_mlp"), [True, False], system)
    if options.search_word_level:
        keys = tuple(f"{SWITCHES}.word_level.{name}" for name in _list_word_outputs(system))
        yield _model_range("search_word_level", keys, [True, False], system, "switch")
    if options.search_hter:
        names = ("hter", "use_distribution") if system.model.outputs.sentence_level.hter else ()
        keys = tuple(f"{SWITCHES}.sentence_level.{name}" for name in names)
        yield _model_range("search_hter", keys, [True, False], system, "switch")


def _model_range(
    name: str, keys: tuple[str, ...], values: Range, system: Any, kind: Literal["value", "switch"] = "value"
) -> SearchRange:
    """Return a range of all keys of the model that an option stands for; without such keys, it is rejected."""
    refusal = f"{system.class_name} has no such option that is on in base_config.system.model"
    return SearchRange(name, f"options.{name}", keys, values, kind, refusal=None if keys else refusal)


def _find_keys(config: Configuration, system: Any, name: str) -> tuple[str, ...]:
    """Return the dotted keys of all options of the model with a name, except those that a loaded encoder fixes."""
    model = {key: value for key, value in system.model.model_dump(mode="json").items() if key != "tlm_outputs"}
    if config.base_config.system.load_encoder is not None and name != "dropout":
        model.pop("encoder")
    return tuple(key for key in flatten(model, "system.model.") if key.rpartition(".")[2] == name)


def _list_word_outputs(system: Any) -> list[str]:
    return [name for name in TAGS.values() if getattr(system.model.outputs.word_level, name)]
