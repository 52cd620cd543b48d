"""The study that the workers of a search share."""

from __future__ import annotations

import json
import time
import warnings
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from typing_extensions import override

from kiwi.exceptions import ConfigError
from kiwi.lib.search.attributes import SEARCH
from kiwi.lib.search.checks import Parameter
from kiwi.lib.search.config import Configuration
from kiwi.lib.search.space import SearchSpace
from kiwi.training.run_record import differences


class SamplerByTrial(optuna.samplers.BaseSampler):
    """A sampler that draws the same values for a trial after a resume and with any number of workers.

    Args:
        method: the search method.
        seed: the seed of the search; each trial has a seed of its own.
    """

    def __init__(self, method: str, seed: int) -> None:
        self.method = method
        self.seed = seed
        self._number = -1
        self._sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed)

    def _seeded(self, trial: FrozenTrial) -> optuna.samplers.BaseSampler:
        if trial.number != self._number:
            self._number = trial.number
            seed = (self.seed * 1_000_003 + trial.number) % 2**32
            if self.method == "random":
                self._sampler = optuna.samplers.RandomSampler(seed)
            else:
                multivariate = self.method == "multivariate_tpe"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ExperimentalWarning)
                    self._sampler = optuna.samplers.TPESampler(seed=seed, multivariate=multivariate, constant_liar=True)
        return self._sampler

    @override
    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        return self._seeded(trial).infer_relative_search_space(study, trial)

    @override
    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
        return self._seeded(trial).sample_relative(study, trial, search_space)

    @override
    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        return self._seeded(trial).sample_independent(study, trial, param_name, param_distribution)


PRUNERS = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource="auto", reduction_factor=3),
    "none": optuna.pruners.NopPruner,
}


def open_study(config: Configuration, space: SearchSpace, storage: BaseStorage, name: str) -> Study:
    """Create or load a study, and fill it with trials that wait for workers.

    Args:
        config: the configuration of the search; with ``load_study``, the study has to exist, and its ranges may differ.
        space: the search space.
        storage: the storage of the study.
        name: the name of the study.

    Raises:
        ConfigError: when the study is that of another search, or does not exist although it has to.
    """
    options: dict[str, Any] = {
        "storage": storage,
        "sampler": SamplerByTrial(config.options.search_method, config.seed),
        "pruner": PRUNERS[config.options.pruner](),
    }
    direction = StudyDirection.MAXIMIZE if space.is_better_high else StudyDirection.MINIMIZE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if config.load_study is not None and name not in optuna.get_all_study_names(storage):
            known = ", ".join(optuna.get_all_study_names(storage)) or "none"
            raise ConfigError(f"load_study: found no search '{name}'; the storage has: {known}.")
        try:
            study = optuna.create_study(study_name=name, direction=direction, **options)
            study.set_user_attr(SEARCH, fingerprint(config, space))
        except DuplicatedStudyError:
            study = optuna.load_study(study_name=name, **options)
            _check_same_search(study, config, space)
            _wait_for_trials(study, config.num_trials)
    for _ in range(config.num_trials - len(study.get_trials(deepcopy=False))):
        study.enqueue_trial({})
    return study


def _wait_for_trials(study: Study, num_trials: int) -> None:
    """Wait while the worker that has created a study fills it.

    If two workers fill it at once, the trials above ``num_trials`` are never run.
    """
    former = -1
    while former < len(study.get_trials(deepcopy=False)) < num_trials:
        former = len(study.get_trials(deepcopy=False))
        time.sleep(1.0)


def fingerprint(config: Configuration, space: SearchSpace) -> dict[str, Any]:
    """Return the settings that have to be the same when a search is resumed or shared.

    Args:
        config: the configuration of the search.
        space: the search space.
    """
    base = json.loads(json.dumps(space.trial_options.shared))
    for key in ("use_mlflow", "mlflow_tracking_uri", "mlflow_always_log_artifacts", "use_tensorboard"):
        base["run"].pop(key)
    base["system"].pop("num_data_workers")
    base["trainer"].pop("log_save_interval")
    return {
        "main_metric": space.main_metric,
        "seed": config.seed,
        "search_method": config.options.search_method,
        "pruner": config.options.pruner,
        "ranges": {each.name: _describe_distribution(each) for each in space.parameters},
        "base_config": {key: value for key, value in base.items() if key not in ("verbose", "quiet")},
    }


def _describe_distribution(parameter: Parameter) -> str:
    distribution = parameter.distribution
    listing = ", ".join(f"{name} {value}" for name, value in vars(distribution).items())
    return f"{type(distribution).__name__.removesuffix('Distribution')}: {listing}"


def _check_same_search(study: Study, config: Configuration, space: SearchSpace) -> None:
    former, now = study.user_attrs.get(SEARCH), fingerprint(config, space)
    if former is None:
        # The worker that created the study was killed before it wrote the fingerprint, or is about to write it.
        study.set_user_attr(SEARCH, now)
        return
    may_differ = config.load_study is not None
    names = ("main_metric",) if may_differ else tuple(now)
    differing = differences({name: former[name] for name in names}, {name: now[name] for name in names})
    if differing:
        listing = "\n".join(f"  {key}: {new}; the search has {old}" for key, (old, new) in differing.items())
        advice = "" if may_differ else f" or load_study={study.study_name} to resume it with other options,"
        raise ConfigError(
            f"search_name: '{study.study_name}' is another search:\n{listing}\nUse the same options,{advice} or "
            "another search_name."
        )
    if may_differ:
        _check_choices(study, space)


def _check_choices(study: Study, space: SearchSpace) -> None:
    """Check that choices are those of the study, which are fixed; intervals may change."""
    for trial in study.get_trials(deepcopy=False):
        for parameter in space.parameters:
            if (former := trial.distributions.get(parameter.name)) is None:
                continue
            try:
                optuna.distributions.check_distribution_compatibility(former, parameter.distribution)
            except ValueError as error:
                raise ConfigError(
                    f"{parameter.option}: found {parameter.distribution}; the search '{study.study_name}' has "
                    f"{former}. Within a search, choices and kinds of ranges cannot change. Keep them, or start a new "
                    "search."
                ) from error
