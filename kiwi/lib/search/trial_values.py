"""Training configurations of trials: the base configuration with the values that were drawn."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kiwi.lib import train
from kiwi.lib.search.config import Configuration
from kiwi.lib.search.ranges import SearchRange
from kiwi.systems.qe_system import QESystem
from kiwi.utils.dotted import put

JSON_PREFIX = "json:"

SIMPLE_TYPES = (type(None), bool, int, float, str)
"""Types of values that a study stores as they are."""


def encode_value(value: Any) -> Any:
    """Return a value of a configuration as the study stores it: lists and mappings become JSON."""
    return value if isinstance(value, SIMPLE_TYPES) else f"{JSON_PREFIX}{json.dumps(value)}"


def decode_value(value: Any) -> Any:
    """Return a value of the study as a configuration has it."""
    is_encoded = isinstance(value, str) and value.startswith(JSON_PREFIX)
    return json.loads(value.removeprefix(JSON_PREFIX)) if is_encoded else value


def resolve_system(config: train.Configuration) -> Any:
    """Return the options of ``system``, completed by those of the trained system or encoder that it loads."""
    system = config.system
    return QESystem.resolve(system) if system.load is not None or system.load_encoder is not None else system


def list_shared_options(config: Configuration, main_metric: list[str]) -> dict[str, Any]:
    """Return the training options that all trials share: the base configuration, with what the search sets itself."""
    options = config.base_config.model_dump(mode="json") | {"verbose": config.verbose, "quiet": config.quiet}
    for key, value in {
        "run.output_dir": None,
        "run.run_id": None,
        "trainer.main_metric": main_metric,
        "trainer.checkpoint.validation_steps": config.options.validation_steps,
        "trainer.checkpoint.early_stop_patience": config.options.patience,
        "trainer.checkpoint.save_top_k": 1,
    }.items():
        put(options, key, value)
    return options


class TrialOptions:
    """Makes the training options of trials.

    Args:
        shared: the training options that all trials share.
    """

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self.shared = shared
        self._n_segments: dict[str, int] = {}

    def with_values(self, values: Iterable[tuple[SearchRange, Any]], **run: Any) -> dict[str, Any]:
        """Return the training options of a trial.

        Args:
            values: the ranges, each with the value of the study that was drawn from it.
            run: options of ``run``.

        Raises:
            ConfigError: when a dotted key leads through a value that has no options.
        """
        options: dict[str, Any] = json.loads(json.dumps(self.shared))
        options["run"] |= run
        for each, encoded in sorted(values, key=lambda pair: pair[0].kind == "epochs"):  # these need the batch size
            value = decode_value(encoded)
            if each.kind == "epochs":
                value = round(value * self._count_steps_per_epoch(options))
            for key in each.keys:
                put(options, key, value)
        return options

    def _count_steps_per_epoch(self, options: Mapping[str, Any]) -> int:
        config = train.Configuration.from_dict(options)
        data = json.dumps([options["data"], options["run"]["seed"]])  # which may be searched too
        if data not in self._n_segments:
            train_data, _ = QESystem.read_datasets(config.system, config.data, config.run.seed)
            self._n_segments[data] = len(train_data)
        n_batches = -(-self._n_segments[data] // config.system.batch_size_for("train"))
        return -(-n_batches // config.trainer.gradient_accumulation_steps)
