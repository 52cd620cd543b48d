"""Options of ``kiwi search``."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator
from typing_extensions import override

from kiwi.lib import train
from kiwi.lib.utils import load_configuration, warn_of_unused
from kiwi.lib.utils.composition import compose, read_mapping
from kiwi.utils.dotted import flatten
from kiwi.utils.io import BaseConfig, Workers
from kiwi.utils.written import Options, PathText, texts_of, user_path

logger = logging.getLogger(__name__)

Number = int | float


class RangeConfig(BaseConfig):
    """An interval of numbers."""

    lower: Number
    """The lower end of the interval, included."""

    upper: Number
    """The upper end of the interval, included."""

    step: Number | None = None
    """The distance between values, counted from the lower end. If unset, any value of the interval may be drawn."""

    distribution: Literal["uniform", "loguniform"] = "uniform"
    """The distribution of the values. ``loguniform`` draws as many values between 0.001 and 0.01 as between 0.01 and
    0.1."""

    @model_validator(mode="after")
    def check_ends(self) -> RangeConfig:
        """Check that values can be drawn from the interval."""
        if not all(math.isfinite(value) for value in (self.lower, self.upper, self.step or 0)):
            raise ValueError("expected finite numbers")
        if self.lower > self.upper:
            raise ValueError(f"found lower {self.lower} above upper {self.upper}")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"found step {self.step}; expected a step above 0")
        if self.distribution == "loguniform" and self.step is not None:
            raise ValueError("a loguniform range has no step; remove one of the two, or list the values")
        if self.distribution == "loguniform" and self.lower <= 0:
            raise ValueError(f"found lower {self.lower}; expected a number above 0 for a loguniform range")
        return self


Range = RangeConfig | Annotated[list[Any], Field(min_length=1)]
"""An interval, or a list of choices."""


class ClassWeightsConfig(BaseConfig):
    """Ranges for the weights of BAD in the losses of the word-level outputs."""

    target_tags: Range | None = RangeConfig(lower=1.0, upper=10.0)
    """The weight of BAD for target words."""

    gap_tags: Range | None = RangeConfig(lower=1.0, upper=10.0)
    """The weight of BAD for gaps."""

    source_tags: Range | None = None
    """The weight of BAD for source words."""


FORMER_OPTION = "search_sentence_loss_weight"


class SearchOptions(BaseConfig):
    """The ranges of a search and its method. A range is an interval or a list of choices."""

    patience: NonNegativeInt = 10
    """The number of validations without improvement after which a trial stops; 0 never stops it. It replaces
    ``trainer.checkpoint.early_stop_patience``."""

    validation_steps: Annotated[float, Field(gt=0.0, le=1.0)] | PositiveInt = 0.2
    """The interval between the validations of a trial. It replaces ``trainer.checkpoint.validation_steps``."""

    search_mlp: bool = False
    """Whether to search with and without the feed-forward layer (every ``use_mlp`` of the model)."""

    search_word_level: bool = False
    """Whether to search with and without the word-level outputs, to improve the sentence level."""

    search_hter: bool = False
    """Whether to search with and without the sentence score, to improve the tags."""

    learning_rate: Range | None = RangeConfig(lower=5e-7, upper=5e-5, distribution="loguniform")
    """The learning rate of the optimizer."""

    dropout: Range | None = None
    """The dropout probability, the same for every ``dropout`` of the model."""

    warmup_steps: Range | None = None
    """The warm-up of the optimizer, in steps or as a share of the training steps."""

    freeze_epochs: Range | None = None
    """The number of epochs in which the encoder is frozen. The training option ``freeze_for_number_of_steps`` counts
    optimizer steps."""

    class_weights: ClassWeightsConfig = ClassWeightsConfig()
    """The weights of BAD. Default ranges apply only to outputs that are on."""

    sentence_loss_weight: Range | None = RangeConfig(lower=1.0, upper=10.0)
    """The weight of the sentence-level loss. The default range applies only to models with word-level and
    sentence-level outputs."""

    hidden_size: Range | None = None
    """The hidden size, the same for every ``hidden_size`` of the model."""

    bottleneck_size: Range | None = None
    """The size of the decoder's bottleneck."""

    space: dict[str, Range] = Field(default={})
    """Ranges for any other options of the training configuration, by dotted key, such as
    ``{system.optimizer.learning_rate: {lower: 1e-4, upper: 1e-2, distribution: loguniform}}``."""

    search_method: Literal["random", "tpe", "multivariate_tpe"] = "multivariate_tpe"
    """The method by which values are drawn. ``tpe`` is a tree-structured Parzen estimator for each range,
    ``multivariate_tpe`` is one estimator for all ranges together."""

    pruner: Literal["median", "hyperband", "none"] = "median"
    """The rule that ends trials early. ``median`` ends those that are worse than the median of the others at the same
    validation, ``hyperband`` those to which Hyperband gives no further validations, ``none`` none."""

    @field_validator("class_weights", mode="before")
    @classmethod
    def search_no_class_weights(cls, value: Any) -> Any:
        """Read null as no range for any output."""
        return dict.fromkeys(ClassWeightsConfig.model_fields) if value is None else value

    @model_validator(mode="before")
    @classmethod
    def leave_out_former_option(cls, data: Any) -> Any:
        """Leave out an option of OpenKiwi's own configurations that it does not have any more."""
        if isinstance(data, Mapping) and FORMER_OPTION in data:
            logger.warning("options.%s is ignored: sentence_loss_weight alone says what is searched.", FORMER_OPTION)
            return {name: value for name, value in data.items() if name != FORMER_OPTION}
        return data

    @field_validator("space", mode="before")
    @classmethod
    def flatten(cls, value: Any) -> Any:
        """Turn nested mappings, such as overrides on the command line, into dotted keys."""
        return (
            flatten(value, is_value=lambda each: bool({"lower", "upper"} & set(each)))
            if isinstance(value, Mapping)
            else value
        )

    @model_validator(mode="after")
    def check_outputs(self) -> SearchOptions:
        """Check that every trial has an output."""
        if self.search_word_level and self.search_hter:
            raise ValueError(
                "search_word_level and search_hter cannot be combined: without both outputs, there is nothing to learn"
            )
        return self


class Configuration(BaseConfig):
    """Options of ``kiwi search``."""

    base_config: train.Configuration
    """The configuration of ``kiwi train`` that trials start from, in place or as the path of a file."""

    directory: Path = Path("optunaruns")
    """The directory of searches. Each search is in a subdirectory with its name."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """The seed of the values that are drawn. Trials train with ``base_config.run.seed``."""

    search_name: Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=100)] | None = None
    """The name of the search. The same name resumes a search that was stopped, and lets several machines share one.
    If unset, a name is drawn."""

    num_trials: Annotated[int, Field(gt=0, le=1_000_000)] = 50
    """The number of trials of the whole search, by all workers, before and after a resume."""

    num_models_to_keep: Annotated[int, Field(ge=-1)] = 5
    """The number of best trials whose models are kept; -1 keeps all models."""

    num_workers: Workers = 1
    """The number of processes on this machine, each of which runs one trial at a time."""

    storage: PathText | None = None
    """The URL of a database that workers on several machines share, in the form of SQLAlchemy
    (``postgresql+psycopg://user@host/name``). If unset, trials are stored in a journal file in the directory of the
    search."""

    load_study: PathText | None = None
    """A search to resume although ranges or other options differ, by its directory or its name."""

    overwrite: bool = False
    """Whether to replace files in the directory of the search that kiwi has not written."""

    options: SearchOptions = SearchOptions()
    """The ranges of the search and its method."""

    verbose: bool = False
    """Whether to show debug messages, and the log of every trial."""

    quiet: bool = False
    """Whether to show warnings and errors only. It takes precedence over ``verbose``."""

    @field_validator("base_config", mode="before")
    @classmethod
    def load_base_config(cls, value: Any) -> Any:
        """Read the file, or compose the configuration that is given in place."""
        if isinstance(value, str | Path):
            value = load_configuration(value)
        elif isinstance(value, Mapping) and not isinstance(value, Options):  # which load_search has composed
            value = _compose_in_place(value)
        if isinstance(value, Mapping) and value.get("debug") is True:
            logger.warning("base_config.debug is switched off: trials of a single batch cannot be compared.")
            return {**value, "debug": False}
        return value

    @classmethod
    @override
    def mistakes_of(cls, options: Mapping[str, Any]) -> dict[str, str]:
        wrong: dict[str, str] = {}
        if str(options.get("load_study") or "").endswith((".pkl", ".pickle", ".joblib")):
            wrong["load_study"] = "a pickle, which could run code and is not opened; give the directory of a search"
        if options.get("load_study") is not None and options.get("search_name") is not None:
            wrong["search_name"] = "load_study already names the search to resume; remove one of the two"
        base = options.get("base_config")
        if not isinstance(base, Mapping):
            return wrong
        trainer = base.get("trainer")
        if isinstance(trainer, Mapping) and trainer.get("resume") is True:
            wrong["base_config.trainer.resume"] = (
                "a search resumes its trials itself, with the same search_name; remove it"
            )
        return wrong


def _compose_in_place(options: Mapping[str, Any]) -> dict[str, Any]:
    """Compose a base configuration that is given in place, and leave out variables."""
    composition = compose(options, Path("base_config"))
    warn_of_unused(composition.unused, composition.path)
    return composition.options


def load_search(filename: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a configuration file of ``kiwi search`` and its ``base_config``, each with its own ``defaults``.

    Args:
        filename: a YAML or JSON file.
        overrides: overrides such as ``num_trials=20``; those that begin with ``base_config.`` are applied to the base
            configuration (``base_config.data=...``).

    Returns:
        Dictionaries, lists and values, which remember how they are written.

    Raises:
        ConfigError: when the file or an override cannot be used; the message names it.
    """
    path = user_path(filename)
    own = read_mapping(path)
    prefix = "base_config."
    base_overrides = [override.removeprefix(prefix) for override in overrides if override.startswith(prefix)]
    base = own.pop("base_config", None)
    if not isinstance(base, Mapping):  # the path of a file, interpolated like any other value
        own |= {} if base is None else {"base_config": base}
    search = compose(own, path, [override for override in overrides if not override.startswith(prefix)])
    options, base_path = search.options, path
    if isinstance(given := texts_of(options).get("base_config"), str):
        base_path = user_path(given)
        base = read_mapping(base_path)
    elif "base_config" in options:
        base = options["base_config"]
    if not isinstance(base, Mapping):
        search.refuse_unknown()
        warn_of_unused(search.unused, path)
        return options
    composed = compose(base, base_path, base_overrides, search.variables)
    composed.refuse_unknown()
    # Those that the base configuration has itself take precedence over those of the search.
    search.refuse_unknown(composed.references - composed.defined, [f"{prefix}{name}" for name in composed.defined])
    warn_of_unused([name for name in search.unused if name not in composed.references - composed.defined], path)
    warn_of_unused(composed.unused, base_path)
    options["base_config"] = composed.options
    return options
