"""Checks of the ranges of a search against the base configuration, before the first trial."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib import train
from kiwi.lib.search.config import RangeConfig
from kiwi.lib.search.ranges import SearchRange
from kiwi.lib.search.trial_values import TrialOptions, decode_value, encode_value, resolve_system
from kiwi.lib.utils import silenced_logs

logger = logging.getLogger("kiwi.lib.search")

FIXED = {
    "run.output_dir": "each trial has a directory of its own",
    "run.run_id": "each trial has a directory of its own",
    "trainer.main_metric": "trials are compared by it",
    "trainer.resume": "a search resumes its trials itself",
    "trainer.checkpoint.save_top_k": "each trial keeps its best model",
    "data.valid": "trials are compared on it",
    "data.split": "trials are compared on it",
}
"""Options that the search sets itself, or that all trials have to share, with the reason."""


@dataclass(frozen=True)
class Parameter(SearchRange):
    """A range that the base configuration accepts."""

    distribution: BaseDistribution = field(kw_only=True)
    """The distribution of its values."""


def check_ranges(ranges: Sequence[SearchRange], trial_options: TrialOptions) -> list[Parameter]:
    """Check each range against the base configuration, and choose the distribution of its values.

    A range of the options of OpenKiwi that has no effect with the base configuration is left out with a warning, as
    OpenKiwi leaves it out.

    Args:
        ranges: the ranges of the search.
        trial_options: makes the training options that a value leads to.

    Raises:
        ConfigError: when the base configuration rejects a range; the message lists all of them; or when there is no
            range.
    """
    parameters: list[Parameter] = []
    mistakes: dict[str, str] = {}
    searched: set[str] = set()
    ignored = {each.option: each.ignored for each in ranges if each.ignored is not None}
    for option, reason in ignored.items():
        logger.warning("%s is ignored: %s.", option, reason)
    for each in ranges:
        if each.ignored is not None:
            continue
        if (mistake := _find_mistake(each, searched, trial_options)) is not None:
            mistakes[each.option] = mistake
        else:
            parameters.append(Parameter(**vars(each), distribution=_choose_distribution(each, trial_options)))
        if each.kind == "value":
            searched |= set(each.keys)
    if mistakes:
        raise ConfigError(f"Ranges that the base configuration rejects:\n{_list(mistakes)}")
    if not parameters:
        found = f"options: found no range; expected {'another one' if ignored else 'something'} to search, such as "
        raise ConfigError(
            f"{found}options.learning_rate." + (f" Ranges that have no effect:\n{_list(ignored)}" if ignored else "")
        )
    return parameters


def _list(reasons: Mapping[str, str]) -> str:
    return "\n".join(f"  {option}: {reason}" for option, reason in reasons.items())


def _find_mistake(each: SearchRange, searched: Collection[str], trial_options: TrialOptions) -> str | None:
    """Return the reason why a range is rejected; None when it is accepted."""
    for key in each.keys:
        for fixed, reason in FIXED.items():
            if key == fixed or key.startswith(f"{fixed}."):
                return f"cannot be searched: {reason}"
        if each.kind == "value" and key in searched:
            return f"{key} is searched by another option too; remove one of them"
    if isinstance(each.values, RangeConfig):
        values: Sequence[Any] = _find_ends(each.values)
    else:
        values = [encode_value(value) for value in each.values]
        if len({repr(value) for value in values}) < len(values):
            return f"found {each.values}; expected different choices"
    for value in values:
        if (refusal := _find_refusal(each, value, trial_options)) is not None:
            return f"{decode_value(value)!r} is rejected: {refusal}"
    return None


def _choose_distribution(each: SearchRange, trial_options: TrialOptions) -> BaseDistribution:
    """Return the distribution of a range: whole numbers where the option accepts nothing else."""
    if not isinstance(each.values, RangeConfig):
        return CategoricalDistribution([encode_value(value) for value in each.values])
    lower, upper = _find_ends(each.values)
    step, log = each.values.step, each.values.distribution == "loguniform"
    if _is_whole(each.values):
        needs_whole = each.kind == "epochs" or _find_refusal(each, lower + 0.5, trial_options) is not None
        if needs_whole:
            return IntDistribution(int(lower), int(upper), log=log, step=int(step or 1))
        if step is None and lower + 0.5 > upper and lower != upper:
            return IntDistribution(int(lower), int(upper), log=log)
    return FloatDistribution(float(lower), float(upper), log=log, step=None if step is None else float(step))


def _is_whole(values: RangeConfig) -> bool:
    return all(float(value).is_integer() for value in (values.lower, values.upper, values.step or 1))


def _find_ends(values: RangeConfig) -> list[int | float]:
    """Return the first and the last value of an interval, which is a whole number of steps above the first."""
    if values.step is None:
        ends: list[Any] = [values.lower, values.upper]
    else:
        first, step = Decimal(str(values.lower)), Decimal(str(values.step))
        last = first + (Decimal(str(values.upper)) - first) // step * step
        ends = [values.lower, last if _is_whole(values) else float(last)]
    return [int(end) for end in ends] if _is_whole(values) else ends


def _find_refusal(each: SearchRange, value: Any, trial_options: TrialOptions) -> str | None:
    """Return the reason why training cannot be configured with a value; None when it can."""
    try:
        with silenced_logs():
            resolve_system(train.Configuration.from_dict(trial_options.with_values([(each, value)])))
    except (ConfigError, CheckpointError) as error:
        lines = str(error).splitlines()
        return "; ".join(line.strip() for line in (lines[1:] if len(lines) > 1 else lines))
    return None
