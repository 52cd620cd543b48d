"""Options of ``kiwi search``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from kiwi.lib import train
from kiwi.lib.utils import compose, load_configuration, read_mapping
from kiwi.utils.dotted import flatten
from kiwi.utils.io import BaseConfig

Number = int | float


class RangeConfig(BaseConfig):
    """An interval."""

    lower: Number
    """Its lower end, included."""

    upper: Number
    """Its upper end, included."""

    step: Number | None = None
    """Distance of the values, from the lower end on; unset, any value of the interval."""

    distribution: Literal["uniform", "loguniform"] = "uniform"
    """``loguniform``: as many values from 0.001 to 0.01 as from 0.01 to 0.1."""

    @model_validator(mode="after")
    def check_ends(self) -> RangeConfig:
        """An interval, and a way to draw from it."""
        if not all(math.isfinite(value) for value in (self.lower, self.upper, self.step or 0)):
            raise ValueError("expected finite numbers")
        if self.lower > self.upper:
            raise ValueError(f"found lower {self.lower} above upper {self.upper}")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"found step {self.step}; expected one above 0")
        if self.distribution == "loguniform" and self.step is not None:
            raise ValueError("a loguniform range has no step; list the values, or remove one of the two")
        if self.distribution == "loguniform" and self.lower <= 0:
            raise ValueError(f"found lower {self.lower}; a loguniform range is above 0")
        return self


Range = RangeConfig | Annotated[list[Any], Field(min_length=1)]
"""An interval, or a list of choices."""


class ClassWeightsConfig(BaseConfig):
    """Weights of BAD in the losses of tags."""

    target_tags: Range | None = RangeConfig(lower=1.0, upper=10.0)
    """Of target words."""

    gap_tags: Range | None = RangeConfig(lower=1.0, upper=10.0)
    """Of gaps."""

    source_tags: Range | None = None
    """Of source words."""


class SearchOptions(BaseConfig):
    """What is searched, and how. A range is an interval or a list of choices."""

    patience: NonNegativeInt = 10
    """Validations without improvement after which a trial stops; 0 never stops it. Replaces
    ``trainer.checkpoint.early_stop_patience``."""

    validation_steps: Annotated[float, Field(gt=0.0, le=1.0)] | PositiveInt = 0.2
    """How often trials validate; replaces ``trainer.checkpoint.validation_steps``."""

    search_mlp: bool = False
    """Search with and without the feed-forward layer (every ``use_mlp`` of the model)."""

    search_word_level: bool = False
    """Search with and without the word-level outputs, for the sake of the sentence level."""

    search_hter: bool = False
    """Search with and without the sentence score, for the sake of the tags."""

    learning_rate: Range | None = RangeConfig(lower=5e-7, upper=5e-5, distribution="loguniform")
    """Of the optimizer."""

    dropout: Range | None = None
    """The same for every ``dropout`` of the model."""

    warmup_steps: Range | None = None
    """Of the optimizer: steps, or shares of the training steps."""

    freeze_epochs: Range | None = None
    """Epochs in which the encoder is frozen (``freeze_for_number_of_steps``, which counts optimizer steps)."""

    class_weights: ClassWeightsConfig = ClassWeightsConfig()
    """Weights of BAD. Those that are not given concern only the outputs that are on."""

    sentence_loss_weight: Range | None = RangeConfig(lower=1.0, upper=10.0)
    """Weight of the sentence level; not given, it is searched where there are words and sentences."""

    hidden_size: Range | None = None
    """The same for every ``hidden_size`` of the model."""

    bottleneck_size: Range | None = None
    """Of the decoder."""

    space: dict[str, Range] = Field(default={})
    """Any other option of the training configuration, by its dotted key:
    ``{system.optimizer.learning_rate: {lower: 1e-4, upper: 1e-2, distribution: loguniform}}``."""

    search_method: Literal["random", "tpe", "multivariate_tpe"] = "multivariate_tpe"
    """``tpe``: a tree-structured Parzen estimator for each range; ``multivariate_tpe``: one for all together."""

    pruner: Literal["median", "hyperband", "none"] = "median"
    """Which trials end early: those below the median of the others at the same validation, those that Hyperband gives
    no further validations, or none."""

    @field_validator("space", mode="before")
    @classmethod
    def flatten(cls, value: Any) -> Any:
        """Nested mappings are dotted keys, which is how overrides on the command line arrive."""
        return (
            flatten(value, is_value=lambda each: bool({"lower", "upper"} & set(each)))
            if isinstance(value, Mapping)
            else value
        )

    @model_validator(mode="after")
    def check_something_is_left(self) -> SearchOptions:
        """Words or sentences have to stay."""
        if self.search_word_level and self.search_hter:
            raise ValueError("search_word_level and search_hter exclude each other: without both, nothing is learned")
        return self


class Configuration(BaseConfig):
    """Options of ``kiwi search``."""

    base_config: train.Configuration
    """Configuration of ``kiwi train``, or a file of one; what is not searched is as it says."""

    directory: Path = Path("optunaruns")
    """Where searches are: each in a directory of its name."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of what is drawn; trials train with ``base_config.run.seed``."""

    search_name: Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=100)] | None = None
    """Name of the search. The same name goes on with a search that was stopped, and lets several machines share one.
    Unset, it is drawn."""

    num_trials: PositiveInt = 50
    """Trials of the whole search, by all workers, those of a search that goes on among them."""

    num_models_to_keep: Annotated[int, Field(ge=-1)] = 5
    """The models of so many best trials stay; -1 keeps all."""

    num_workers: PositiveInt = 1
    """Processes on this machine, each with a trial at a time."""

    storage: str | None = None
    """URL of a database (SQLAlchemy's form: ``postgresql+psycopg://user@host/name``) that workers on several machines
    share. Unset, a journal file in the directory of the search."""

    load_study: str | None = None
    """A search to go on with though ranges or other options differ: its directory, or its name."""

    options: SearchOptions = SearchOptions()
    """What is searched, and how."""

    verbose: bool = False
    """Show debug messages, and the log of every trial."""

    quiet: bool = False
    """Show warnings and errors only; has precedence over ``verbose``."""

    @field_validator("base_config", mode="before")
    @classmethod
    def load_base_config(cls, value: Any) -> Any:
        """Read the file; compose what is given in place."""
        if isinstance(value, str | Path):
            return load_configuration(value)
        return composed(value, Path("base_config")) if isinstance(value, Mapping) else value

    @classmethod
    def mistakes_of(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """What a search cannot do."""
        wrong: dict[str, str] = {}
        if str(options.get("load_study") or "").endswith((".pkl", ".pickle", ".joblib")):
            wrong["load_study"] = "a pickle, which is not opened because it runs code; name a directory of a search"
        if options.get("load_study") is not None and options.get("search_name") is not None:
            wrong["search_name"] = "load_study says which search goes on; remove one of the two"
        base = options.get("base_config")
        if not isinstance(base, Mapping):
            return wrong
        trainer = base.get("trainer")
        if isinstance(trainer, Mapping) and trainer.get("resume") is True:
            wrong["base_config.trainer.resume"] = "a search goes on by itself, with the same search_name; remove it"
        if base.get("debug") is True:
            wrong["base_config.debug"] = "trials of one batch say nothing; remove it"
        return wrong


def composed(options: Mapping[str, Any], path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """A base configuration that is given in place, as if it were a file at ``path``."""
    plain = compose(options, path, overrides)
    return {key: value for key, value in plain.items() if not key.startswith("_")}


def load_search(filename: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a configuration file of ``kiwi search``, and of its ``base_config``; each has ``defaults`` of its own.

    Args:
        filename: YAML or JSON.
        overrides: ``num_trials=20``; those of ``base_config.`` as that file takes them (``base_config.data=...``).

    Returns:
        Plain dictionaries, lists and values.

    Raises:
        ConfigError: naming the file, or the override, that cannot be used.
    """
    path = Path(filename)
    own = read_mapping(path)
    prefix = "base_config."
    of_base = [override.removeprefix(prefix) for override in overrides if override.startswith(prefix)]
    base = own.pop("base_config", None)
    if not isinstance(base, Mapping):  # a file; interpolated as any other value
        own |= {} if base is None else {"base_config": base}
    plain = compose(own, path, [override for override in overrides if not override.startswith(prefix)])
    variables = {key: value for key, value in plain.items() if key.startswith("_")}
    options = {key: value for key, value in plain.items() if key not in variables}
    place = path
    if "base_config" in options and isinstance(options["base_config"], str):
        place = Path(options["base_config"])
        base = read_mapping(place)
    elif "base_config" in options:
        base = options["base_config"]
    if isinstance(base, Mapping):
        inner = compose(base, place, of_base, variables)
        options["base_config"] = {key: value for key, value in inner.items() if not key.startswith("_")}
    return options
