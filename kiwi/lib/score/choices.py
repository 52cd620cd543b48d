"""What is written of the outputs of a system, as far as options leave it open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from kiwi import constants as const
from kiwi.exceptions import ConfigError
from kiwi.outputs import OUTPUTS, SPAN_SCORES, names as output_names
from kiwi.runner import Runner


def wants_flags(flags: bool | None, scores_only: bool | None) -> bool:
    """Return whether flags are written: unless scores alone are asked for, if nothing else is said."""
    return not scores_only if flags is None else flags


def are_scores_only(runner: Runner, scores_only: bool | None) -> bool:
    """Return whether the outputs for words are omitted.

    Args:
        runner: the system.
        scores_only: what is asked for; None omits them if there are others.

    Raises:
        ConfigError: when scores are asked for, and the system predicts none.
    """
    outputs = runner.about.outputs
    has_scores = bool(output_names(outputs, unit="segment")) or const.ERROR_SPANS in outputs
    if scores_only and not has_scores:
        raise ConfigError(f"--scores-only: this system predicts {', '.join(outputs)}, and no score. Remove the option.")
    return has_scores if scores_only is None else scores_only


def check_aligner(runner: Runner, fields: Collection[str]) -> None:
    """Check that no aligner is named where alignments are given.

    Args:
        runner: the system.
        fields: the fields that are given.

    Raises:
        ConfigError: when there is one.
    """
    if runner.options.aligner is not None and const.ALIGNMENTS in fields:
        raise ConfigError("--aligner: given, but alignments are given too. Remove one of the two.")


def without_words(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the columns with one value per segment."""
    kept = {column for name in output_names(unit="segment") for column in OUTPUTS[name].columns} | {*SPAN_SCORES}
    return {name: cells for name, cells in columns.items() if name in kept}
