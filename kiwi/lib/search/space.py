"""From the options of a search to ranges of dotted keys, and from what was drawn to a training configuration."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib import train
from kiwi.lib.search.config import Configuration, Range, RangeConfig
from kiwi.lib.search.keys import plain
from kiwi.metrics.functions import higher_is_better
from kiwi.systems.qe_system import QESystem
from kiwi.training.devices import count_processes
from kiwi.utils.dotted import flatten, put

logger = logging.getLogger(__name__)

OUTPUTS = "system.model.outputs"
LEARNING_RATE, WARMUP = "system.optimizer.learning_rate", "system.optimizer.warmup_steps"
FREEZE = "system.model.encoder.freeze_for_number_of_steps"
TAGS = {"target_tags": "target", "gap_tags": "gaps", "source_tags": "source"}

OWN = {
    "run.output_dir": "each trial has a directory of its own",
    "run.run_id": "each trial has a directory of its own",
    "trainer.main_metric": "trials are compared by it",
    "trainer.resume": "a search goes on by itself",
    "trainer.checkpoint.save_top_k": "each trial keeps its best model",
    "data.valid": "trials are compared on it",
    "data.split": "trials are compared on it",
}
"""Options that a search decides itself, or that all trials have to share."""

SIMPLE = (type(None), bool, int, float, str)


@dataclass(frozen=True)
class Parameter:
    """What is drawn for a trial, and where it goes."""

    name: str
    """In the study."""

    option: str
    """Dotted path of the option, for errors."""

    keys: tuple[str, ...]
    """Dotted keys of the training configuration."""

    distribution: BaseDistribution
    kind: Literal["value", "switch", "epochs"] = "value"
    """A switch turns its keys off, or leaves them; epochs become optimizer steps."""


class Space:
    """All that may differ between trials, checked against the base configuration.

    Args:
        config: of the search.

    Raises:
        ConfigError: with every range that the base configuration refuses, and its path.
    """

    def __init__(self, config: Configuration) -> None:
        self.config = config
        resolved = _resolved(config.base_config)
        self.class_name: str = resolved.class_name
        self.model: dict[str, Any] = resolved.model.model_dump(mode="json")
        if count_processes(config.base_config.trainer) > 1:
            raise ConfigError(
                "base_config.trainer: asks for several processes; expected one GPU or the CPU, because each trial "
                "trains in one process. Set num_workers for several trials at a time."
            )
        base = config.base_config
        self.main_metric = self._choose_main_metric(resolved.model)
        self.is_better_high = higher_is_better(self.main_metric[0])
        self.base = base.model_dump(mode="json") | {"verbose": config.verbose, "quiet": config.quiet}
        checkpoint = {
            "validation_steps": config.options.validation_steps,
            "early_stop_patience": config.options.patience,
            "save_top_k": 1,
        }
        own = {"run.output_dir": None, "run.run_id": None, "trainer.main_metric": self.main_metric}
        for key, value in [*own.items(), *((f"trainer.checkpoint.{key}", value) for key, value in checkpoint.items())]:
            put(self.base, key, value)
        self._n_segments: int | None = None
        self.wrong: dict[str, str] = {}
        self.parameters = [self._parameter(*entry) for entry in self._ranges()]
        if self.wrong:
            listing = "\n".join(f"  {path}: {reason}" for path, reason in self.wrong.items())
            raise ConfigError(f"Ranges that the base configuration refuses:\n{listing}")
        if not self.parameters:
            raise ConfigError("options: found no range; expected something to search, such as options.learning_rate.")

    def options_for(self, drawn: Mapping[str, Any], **own: Any) -> dict[str, Any]:
        """The training configuration of a trial.

        Args:
            drawn: values of the study, by the names of parameters.
            own: options of ``run``.
        """
        options: dict[str, Any] = json.loads(json.dumps(self.base))
        options["run"] |= own
        for parameter in sorted(self.parameters, key=lambda each: each.kind == "epochs"):  # these need the batch size
            self._apply(options, parameter, drawn[parameter.name])
        return options

    def described(self) -> dict[str, Any]:
        """What a study has to agree on with those that go on with it."""
        base = json.loads(json.dumps(self.base))
        for key in ("use_mlflow", "mlflow_tracking_uri", "mlflow_always_log_artifacts", "use_tensorboard"):
            base["run"].pop(key)
        base["system"].pop("num_data_workers")
        base["trainer"].pop("log_save_interval")
        options = self.config.options
        return {
            "main_metric": self.main_metric,
            "seed": self.config.seed,
            "search_method": options.search_method,
            "pruner": options.pruner,
            "ranges": {each.name: _as_text(each) for each in self.parameters},
            "base_config": {key: value for key, value in base.items() if key not in ("verbose", "quiet")},
        }

    def _apply(self, options: dict[str, Any], parameter: Parameter, value: Any) -> None:
        value = plain(value)
        if parameter.kind == "switch":
            if not value:
                for key in parameter.keys:
                    put(options, key, False)
            return
        if parameter.kind == "epochs":
            value = round(value * self._steps_in_an_epoch(options))
        for key in parameter.keys:
            put(options, key, value)

    def _steps_in_an_epoch(self, options: Mapping[str, Any]) -> int:
        config = train.Configuration.from_dict(options)
        if self._n_segments is None:
            data, _ = QESystem.read_datasets(config.system, config.data, config.run.seed)
            self._n_segments = len(data)
        n_batches = -(-self._n_segments // config.system.batch_size_for("train"))
        return -(-n_batches // config.trainer.gradient_accumulation_steps)

    def _choose_main_metric(self, model: Any) -> list[str]:
        """That of the base configuration; unset, the first that all trials have."""
        known = list(model.metric_names)
        if self.config.base_config.trainer.main_metric is None:
            word = {f"{name}_" for name, on in TAGS.items() if getattr(model.outputs.word_level, on)} | {"WMT19_"}
            options = self.config.options
            known = [
                name
                for name in known
                if not (options.search_word_level and name.startswith(tuple(word)))
                and not (options.search_hter and name in ("PEARSON", "SPEARMAN", "RMSE", "MAE"))
            ] or known
        return train.choose_main_metric(self.config.base_config.trainer.main_metric, known)

    def _ranges(self) -> Iterator[tuple[str, str, Sequence[str], Range, Literal["value", "switch", "epochs"]]]:
        """Name, option, keys, range and kind of everything that is searched."""
        options, given = self.config.options, self.config.options.model_fields_set
        taken = set(options.space)
        if options.learning_rate is not None and ("learning_rate" in given or LEARNING_RATE not in taken):
            yield "learning_rate", "options.learning_rate", [LEARNING_RATE], options.learning_rate, "value"
        if options.warmup_steps is not None:
            yield "warmup_steps", "options.warmup_steps", [WARMUP], options.warmup_steps, "value"
        for name in ("dropout", "hidden_size", "bottleneck_size"):
            if (values := getattr(options, name)) is not None:
                yield name, f"options.{name}", self._places_of(name), values, "value"
        if options.freeze_epochs is not None:
            yield "freeze_epochs", "options.freeze_epochs", [FREEZE], options.freeze_epochs, "epochs"
        word, sentence = (self.model["outputs"][level] for level in ("word_level", "sentence_level"))
        words_on = [name for name in TAGS.values() if word[name]]
        for tags, output in TAGS.items():
            values, is_given = getattr(options.class_weights, tags), tags in options.class_weights.model_fields_set
            key, option = f"{OUTPUTS}.word_level.class_weights.{tags}.BAD", f"options.class_weights.{tags}"
            if values is not None and is_given and not word[output]:
                self.wrong[option] = f"base_config.{OUTPUTS}.word_level.{output} is off; turn it on, or remove this"
            elif values is not None and word[output] and (is_given or key not in taken):
                yield f"class_weights.{tags}", option, [key], values, "value"
        values, is_given = options.sentence_loss_weight, "sentence_loss_weight" in given
        on, key = sentence["hter"] or sentence["binary"], f"{OUTPUTS}.sentence_loss_weight"
        if values is not None and is_given and not on:
            self.wrong["options.sentence_loss_weight"] = (
                f"base_config.{OUTPUTS}.sentence_level has no output that is on"
            )
        elif values is not None and on and (is_given or (words_on and key not in taken)):
            yield "sentence_loss_weight", "options.sentence_loss_weight", [key], values, "value"
        if options.search_mlp:
            yield "search_mlp", "options.search_mlp", self._places_of("use_mlp"), [True, False], "value"
        if options.search_word_level:
            keys = [f"{OUTPUTS}.word_level.{name}" for name in words_on]
            yield "search_word_level", "options.search_word_level", keys, [True, False], "switch"
        if options.search_hter:
            keys = [f"{OUTPUTS}.sentence_level.{name}" for name in ("hter", "use_distribution") if sentence["hter"]]
            yield "search_hter", "options.search_hter", keys, [True, False], "switch"
        for key, space in options.space.items():
            yield key, f"options.space.{key}", [key], space, "value"

    def _places_of(self, name: str) -> list[str]:
        model = {key: value for key, value in self.model.items() if key != "tlm_outputs"}
        brings_encoder = self.config.base_config.system.load_encoder is not None and name != "dropout"
        if brings_encoder:
            model.pop("encoder")
        return [key for key in flatten(model, "system.model.") if key.rpartition(".")[2] == name]

    def _parameter(
        self, name: str, option: str, keys: Sequence[str], values: Range, kind: Literal["value", "switch", "epochs"]
    ) -> Parameter:
        distribution: BaseDistribution = CategoricalDistribution([False])
        if not keys:
            self.wrong[option] = f"{self.class_name} has nothing of this kind that is on in base_config.system.model"
        for key in keys:
            own = next((each for each in OWN if key == each or key.startswith(f"{each}.")), None)
            if own is not None:
                self.wrong[option] = f"cannot be searched: {OWN[own]}"
            elif kind == "value" and key in getattr(self, "_seen", set()):
                self.wrong[option] = f"{key} is searched by another option too; remove one of them"
        self._seen: set[str] = getattr(self, "_seen", set()) | (set(keys) if kind == "value" else set())
        if option not in self.wrong:
            trial = Parameter(name, option, tuple(keys), distribution, kind)
            if isinstance(values, RangeConfig):
                distribution = self._interval(trial, values)
            else:
                distribution = self._choices(trial, values)
        return Parameter(name, option, tuple(keys), distribution, kind)

    def _choices(self, trial: Parameter, values: Sequence[Any]) -> BaseDistribution:
        coded = [value if isinstance(value, SIMPLE) else f"json:{json.dumps(value)}" for value in values]
        if len({repr(value) for value in coded}) < len(coded):
            self.wrong[trial.option] = f"found {list(values)}; expected different choices"
        for value in coded:
            self._check(trial, value)
        return CategoricalDistribution(coded)

    def _interval(self, trial: Parameter, values: RangeConfig) -> BaseDistribution:
        lower, upper, step, log = values.lower, values.upper, values.step, values.distribution == "loguniform"
        is_whole = all(float(value).is_integer() for value in (lower, upper, step or 1))
        if step is not None:  # the last value that is a whole number of steps above the first
            low, size = Decimal(str(lower)), Decimal(str(step))
            last = low + (Decimal(str(upper)) - low) // size * size
            upper = int(last) if is_whole else float(last)
        ends = [int(value) if is_whole else value for value in (lower, upper)]
        for value in ends:
            self._check(trial, value)
        if is_whole and (trial.kind == "epochs" or self._mistake(trial, ends[0] + 0.5) is not None):
            return IntDistribution(int(ends[0]), int(ends[1]), log=log, step=int(step or 1))
        if is_whole and step is None and ends[0] + 0.5 > ends[1] and ends[0] != ends[1]:
            return IntDistribution(int(ends[0]), int(ends[1]), log=log)
        return FloatDistribution(float(lower), float(upper), log=log, step=None if step is None else float(step))

    def _check(self, trial: Parameter, value: Any) -> None:
        if (mistake := self._mistake(trial, value)) is not None:
            shown = plain(value)
            self.wrong.setdefault(trial.option, f"{shown!r} is refused: {mistake}")

    def _mistake(self, trial: Parameter, value: Any) -> str | None:
        options = json.loads(json.dumps(self.base))
        try:
            with _hushed():
                self._apply(options, trial, value)
                _resolved(train.Configuration.from_dict(options))
        except (ConfigError, CheckpointError) as error:
            lines = str(error).splitlines()
            return "; ".join(line.strip() for line in (lines[1:] if len(lines) > 1 else lines))
        return None


def _as_text(parameter: Parameter) -> str:
    distribution = parameter.distribution
    listing = ", ".join(f"{name} {value}" for name, value in vars(distribution).items())
    return f"{type(distribution).__name__.removesuffix('Distribution')}: {listing}"


def _resolved(config: train.Configuration) -> Any:
    """The options of ``system``, with what a trained system brings to them."""
    system = config.system
    return QESystem.resolve(system) if system.load is not None or system.load_encoder is not None else system


@contextmanager
def _hushed() -> Iterator[None]:
    """Without the notices of configurations that are only tried."""
    kiwi = logging.getLogger("kiwi")
    level, kiwi.disabled = kiwi.level, False
    kiwi.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        kiwi.setLevel(level)
