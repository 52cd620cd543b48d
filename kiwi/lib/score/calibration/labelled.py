"""Probabilities with labels, and the temperature that suits them best."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiwi.exceptions import ConfigError
from kiwi.lib.score.calibration.data import OPTIONS
from kiwi.metrics.calibration import reliability
from kiwi.metrics.conformal import COLDEST, HOTTEST, at_temperature, fit_temperature, log_loss

logger = logging.getLogger(__name__)

AT_BOUND = 1.001
"""The ratio to the least or the largest temperature within which one is at it."""


@dataclass(frozen=True)
class Temperature:
    """The temperature of the probabilities of an output, on the data that it was chosen on."""

    output: str
    """The name of the output; of error spans, with ``(omissions)`` for gaps."""

    n: int
    """The number of labels."""

    temperature: float
    """What the logits are divided by; above 1, the system was too confident."""

    nll: tuple[float, float]
    """The mean negative log-likelihood of the labels before and after."""

    ece: tuple[float, float]
    """The expected calibration error of the probability of BAD, or of an error, before and after."""

    def cells(self) -> list[str]:
        """Return the cells of a table."""
        figures = [f"{value:.4f}" for value in (self.temperature, *self.nll, *self.ece)]
        return [self.output, f"{self.n:,}", *figures]


@dataclass(frozen=True)
class Labelled:
    """Probabilities of labels, and the labels."""

    probabilities: NDArray[np.float64]
    """The probabilities of OK and of the other labels, (items, labels)."""

    gold: NDArray[np.float64]
    """The share of each label, (items, labels), each row with the sum 1."""

    def fit(self, output: str) -> Temperature:
        """Return the temperature with the highest likelihood of the labels.

        Args:
            output: the name of the output.

        Raises:
            ConfigError: when all labels are OK, or none is.
        """
        share = float(1.0 - self.gold[:, 0].mean()) if len(self.gold) else 0.0
        if not 0 < share < 1:
            what = "no label" if not len(self.gold) else f"{len(self.gold):,} labels, {'none' if share else 'all'} OK"
            option = OPTIONS[output.partition(" ")[0]]
            raise ConfigError(
                f"{option}: found {what} for {output}; a temperature needs OK and others. Give more segments, or "
                "remove the option."
            )
        temperature = fit_temperature(self.probabilities, self.gold)
        if not COLDEST * AT_BOUND < temperature < HOTTEST / AT_BOUND:
            logger.warning(
                "%s: the temperature %.3g is at the bound of its range: the system separates these labels almost "
                "perfectly, or does not tell them apart. Calibrate on more segments, which it was not trained on.",
                output,
                temperature,
            )
        moved = at_temperature(self.probabilities, temperature)
        both = (self.probabilities, moved)
        bad = 1.0 - self.gold[:, 0]
        losses = [log_loss(each, self.gold) for each in both]
        errors = [reliability(bad, np.clip(1.0 - each[:, 0], 0.0, 1.0)).ece for each in both]
        return Temperature(output, len(bad), temperature, (losses[0], losses[1]), (errors[0], errors[1]))
