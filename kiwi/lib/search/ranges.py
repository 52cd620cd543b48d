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
FREEZE = "freeze_for_number_of_steps"
TAGS = {name: OUTPUTS[name].switch.removeprefix("word_level.") for name in const.WORD_LEVEL}
ADDED_TAGS = (const.TARGET_TAGS, const.GAP_TAGS)
"""The outputs that ``search_word_level`` adds to a base configuration without word-level outputs, as in OpenKiwi."""

SCORE_METRICS = ("PEARSON", "SPEARMAN", "RMSE", "MAE")
"""The beginnings of the names of the metrics of scores."""


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
    """The way in which a value is applied. A ``switch`` may have keys that other ranges have too; ``epochs`` become
    optimizer steps."""

    ignored: str | None = None
    """The reason why the option has no effect with the base configuration, so that it is left out; None if it has."""


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
        keys = _find_keys(config, system, FREEZE)
        yield _model_range("freeze_epochs", keys, options.freeze_epochs, system, "epochs")


def _list_class_weights(config: Configuration, system: Any) -> Iterator[SearchRange]:
    weights, outputs = config.options.class_weights, list_outputs(config, system)
    for tags, output in TAGS.items():
        key, option = f"{SWITCHES}.word_level.class_weights.{tags}.BAD", f"options.class_weights.{tags}"
        values, is_given, is_on = getattr(weights, tags), tags in weights.model_fields_set, tags in outputs
        ignored = None if is_on else f"base_config.{SWITCHES}.word_level.{output} is off"
        if values is not None and (is_given or (is_on and key not in config.options.space)):
            yield SearchRange(f"class_weights.{tags}", option, (key,), values, ignored=ignored)


def _list_sentence_weight(config: Configuration, system: Any) -> Iterator[SearchRange]:
    options, outputs = config.options, list_outputs(config, system)
    key, values = f"{SWITCHES}.sentence_loss_weight", options.sentence_loss_weight
    is_given = "sentence_loss_weight" in options.model_fields_set
    is_on = not outputs.isdisjoint((const.SENTENCE_SCORES, const.BINARY))
    is_default = is_on and not outputs.isdisjoint(TAGS) and key not in options.space
    ignored = None if is_on else f"base_config.{SWITCHES}.sentence_level has no output that is on"
    if values is not None and (is_given or is_default):
        yield SearchRange("sentence_loss_weight", "options.sentence_loss_weight", (key,), values, ignored=ignored)


def _list_switches(config: Configuration, system: Any) -> Iterator[SearchRange]:
    options, outputs = config.options, system.model.outputs
    if options.search_mlp:
        yield _model_range("search_mlp", _find_keys(config, system, "use_mlp"), [True, False], system)
    if options.search_word_level:
        names = _list_word_switches(system) or list(map(TAGS.__getitem__, ADDED_TAGS))
        yield _output_range(config, "search_word_level", "word_level", names, word_metrics(system.model))
    if options.search_hter:
        is_distribution = outputs.sentence_level.hter and outputs.sentence_level.use_distribution
        names = ["hter", "use_distribution"] if is_distribution else ["hter"]
        yield _output_range(config, "search_hter", "sentence_level", names, SCORE_METRICS)


def _output_range(
    config: Configuration, name: str, level: str, switches: list[str], metrics: tuple[str, ...]
) -> SearchRange:
    """Return the range of trials with and without outputs; without effect if the main metric needs them.

    Args:
        config: the configuration of the search.
        name: the name of the option.
        level: the options of the outputs, below ``system.model.outputs``.
        switches: the options that are true with the outputs.
        metrics: the beginnings of the names of their metrics.
    """
    main_metric = config.base_config.trainer.main_metric
    configured = [main_metric] if isinstance(main_metric, str) else main_metric or []
    needed = [each for each in configured if each.removeprefix("val_").startswith(metrics)]
    reason = f"trials without the output have no {', '.join(needed)} (base_config.trainer.main_metric)"
    keys = tuple(f"{SWITCHES}.{level}.{each}" for each in switches)
    return SearchRange(name, f"options.{name}", keys, [True, False], "switch", ignored=reason if needed else None)


def _model_range(
    name: str, keys: tuple[str, ...], values: Range, system: Any, kind: Literal["value", "epochs"] = "value"
) -> SearchRange:
    """Return a range of all keys of the model that an option stands for; without such keys, it has no effect."""
    ignored = None if keys else f"{system.class_name} has no such option in base_config.system.model"
    return SearchRange(name, f"options.{name}", keys, values, kind, ignored=ignored)


def _find_keys(config: Configuration, system: Any, name: str) -> tuple[str, ...]:
    """Return the dotted keys of all options of the model with a name, except those that a loaded encoder fixes."""
    model = {key: value for key, value in system.model.model_dump(mode="json").items() if key != "tlm_outputs"}
    if config.base_config.system.load_encoder is not None and name not in ("dropout", FREEZE):
        model.pop("encoder")
    return tuple(key for key in flatten(model, "system.model.") if key.rpartition(".")[2] == name)


def list_outputs(config: Configuration, system: Any) -> set[str]:
    """Return the outputs of which trials have some or all: those of the base configuration and of the switches."""
    outputs = set(system.model.outputs.names)
    if config.options.search_word_level and outputs.isdisjoint(TAGS):
        outputs |= set(ADDED_TAGS)
    return outputs | ({const.SENTENCE_SCORES} if config.options.search_hter else set())


def word_metrics(model: Any) -> tuple[str, ...]:
    """Return the beginnings of the names of the word-level metrics of a model."""
    return (*(f"{name}_" for name in TAGS if name in model.outputs.names), "WMT19_")


def _list_word_switches(system: Any) -> list[str]:
    return [switch for name, switch in TAGS.items() if name in system.model.outputs.names]
