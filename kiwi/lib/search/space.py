"""The search space: the options that differ between trials, those that they share, and their metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kiwi.exceptions import ConfigError
from kiwi.lib import train
from kiwi.lib.search.checks import Parameter, check_ranges
from kiwi.lib.search.config import Configuration
from kiwi.lib.search.ranges import SCORE_METRICS, list_ranges, word_metrics
from kiwi.lib.search.trial_values import TrialOptions, list_shared_options, resolve_system
from kiwi.lib.train.language_pairs import has_pairs
from kiwi.metrics.functions import higher_is_better
from kiwi.training.devices import count_processes


@dataclass(frozen=True)
class SearchSpace:
    """Everything that may differ between trials, checked against the base configuration."""

    parameters: list[Parameter]
    """The parameters that are drawn for each trial, in this order."""

    main_metric: list[str]
    """The metrics whose sum trials are compared by."""

    trial_options: TrialOptions
    """Makes the training options of trials."""

    @property
    def metric(self) -> str:
        """The name of the metric that trials are compared by."""
        return "+".join(self.main_metric)

    @property
    def is_better_high(self) -> bool:
        """Whether a higher value of the metric is better."""
        return higher_is_better(self.main_metric[0])

    def build_options(self, drawn: Mapping[str, Any], **run: Any) -> dict[str, Any]:
        """Return the training options of a trial.

        Args:
            drawn: the values of the study, by the name of the parameter.
            run: options of ``run``.
        """
        return self.trial_options.with_values([(each, drawn[each.name]) for each in self.parameters], **run)


def build_space(config: Configuration) -> SearchSpace:
    """Build the search space that the configuration describes.

    Args:
        config: the configuration of the search.

    Raises:
        ConfigError: when the base configuration rejects a range; the message lists all of them.
    """
    system = resolve_system(config.base_config)
    if count_processes(config.base_config.trainer) > 1:
        raise ConfigError(
            "base_config.trainer: found several processes; expected one GPU or the CPU, because each trial trains in "
            "one process. Set num_workers to run several trials at a time."
        )
    main_metric = _choose_main_metric(config, system.model)
    trial_options = TrialOptions(list_shared_options(config, main_metric))
    parameters = check_ranges(list_ranges(config, system), trial_options)
    return SearchSpace(parameters, main_metric, trial_options)


def _choose_main_metric(config: Configuration, model: Any) -> list[str]:
    """Return the main metric of the base configuration or, when it is unset, the first one that all trials have."""
    known = list(model.metric_names)
    if config.base_config.trainer.main_metric is None:
        options = config.options
        known = [
            name
            for name in known
            if not (options.search_word_level and name.startswith(word_metrics(model)))
            and not (options.search_hter and name in SCORE_METRICS)
        ] or known
    base = config.base_config
    return train.choose_main_metric(base.trainer.main_metric, known, has_pairs=has_pairs(base.data))
