"""What an acceptable translation is: a bound of a gold score, or no error of some severity."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi.data.labels.error_spans import MQM_WEIGHTS, SEVERITIES
from kiwi.data.labels.score_meaning import WORST_PENALTY
from kiwi.exceptions import ConfigError

MEASURES: dict[str, str | None] = {"hter": "<=", "da": ">=", "esa": ">=", "mqm": None, "score": None}
"""The measures of acceptable translations, and the direction in which each is good; None if it depends on the data."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"<=": operator.le, ">=": operator.ge}

CONDITION = re.compile(r"\s*([a-z]+)\s*(<=|>=|=<|=>|<|>)\s*(\S+)\s*")

NO_ERROR = re.compile(r"\s*no\s+([a-z]+)(?:\s+errors?)?\s*")


@dataclass(frozen=True)
class Acceptable:
    """The definition of an acceptable translation, such as ``hter <= 0.1`` or ``no major``."""

    measure: str
    """One of :data:`MEASURES`; or a severity, whose gold value is the number of errors that are at least so severe."""

    comparison: str
    """``<=`` or ``>=``."""

    bound: float

    def __str__(self) -> str:
        if self.needs_spans:
            return f"no {self.measure}"
        short = f"{self.bound:g}"
        bound = short if float(short) == self.bound else repr(self.bound)
        return f"{self.measure} {self.comparison} {bound}"

    @property
    def needs_spans(self) -> bool:
        """Whether its gold values follow from error spans only."""
        return self.measure in SEVERITIES

    @property
    def takes_spans(self) -> bool:
        """Whether its gold values may be given as error spans."""
        return self.needs_spans or self.measure == "mqm"

    @property
    def gold_name(self) -> str:
        """What its gold values are, in words."""
        if self.needs_spans:
            worse = "" if self.measure == SEVERITIES[-1] else " or worse"
            return f"number of {self.measure}{worse} errors"
        return self.measure if self.measure == "score" else self.measure.upper()

    def judge(self, gold: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether each translation is acceptable, from its gold value, (segments,)."""
        judged: NDArray[np.bool_] = OPERATORS[self.comparison](gold, self.bound)
        return judged

    def gold_value(self, raters: Sequence[Collection[str]]) -> float:
        """Return the gold value of a translation from the severities of its errors: the mean of its raters.

        It is the number of errors that are at least as severe as :attr:`measure`, or the penalty of MQM, at most 25,
        with the sign that the comparison expects.

        Args:
            raters: the severities of the errors that each rater has marked; NaN without raters.
        """
        if not raters:
            return math.nan
        if self.needs_spans:
            counted = SEVERITIES[SEVERITIES.index(self.measure) :]
            found = [float(sum(each in counted for each in severities)) for severities in raters]
        else:
            sign = 1.0 if self.comparison == "<=" else -1.0
            sums = (sum(MQM_WEIGHTS[each] for each in severities) for severities in raters)
            found = [sign * min(penalty, WORST_PENALTY) for penalty in sums]
        return sum(found) / len(found)

    @classmethod
    def parse(cls, text: str, place: str = "--acceptable") -> Acceptable:
        """Parse a definition.

        Args:
            text: the definition.
            place: the option that it is from, for errors.

        Raises:
            ConfigError: when it is none.
        """
        if (without := NO_ERROR.fullmatch(text.lower())) is not None:
            if without[1] not in SEVERITIES:
                severities = ", ".join(SEVERITIES)
                raise ConfigError(f"{place}: found '{text}'; expected 'no' and a severity: {severities}.")
            return cls(without[1], "<=", 0.0)
        found = CONDITION.fullmatch(text.lower())
        if found is None:
            raise ConfigError(
                f"{place}: found '{text}'; expected a measure, <= or >=, and a number, such as 'hter <= 0.1' or "
                "'da >= 70', or the absence of errors, such as 'no major'."
            )
        measure, comparison, number = found.groups()
        if measure not in MEASURES:
            raise ConfigError(f"{place}: '{measure}' is not a measure; expected {', '.join(MEASURES)}.")
        if comparison not in OPERATORS:
            raise ConfigError(f"{place}: found '{comparison}'; expected <= or >=.")
        if MEASURES[measure] not in (None, comparison):
            raise ConfigError(f"{place}: found '{text}'; {measure} is good where it is {MEASURES[measure]} a bound.")
        try:
            bound = float(number)
        except ValueError:
            bound = math.nan
        if not math.isfinite(bound):
            raise ConfigError(f"{place}: found '{number}'; expected a number.")
        if measure == "hter" and not 0 <= bound <= 1:
            raise ConfigError(f"{place}: found '{text}'; expected a share of words from 0 to 1, such as 'hter <= 0.1'.")
        return cls(measure, comparison, bound)
