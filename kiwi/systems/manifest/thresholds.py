"""The decision thresholds of language pairs that ``kiwi thresholds --lp`` stores in a system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import ERROR_SPANS


@dataclass(frozen=True)
class PairThresholds:
    """Thresholds of language pairs, where they are not the 0.5 of all others.

    The probabilities of a pair are moved so that its threshold becomes 0.5, and everything that reads probabilities or
    labels works unchanged.
    """

    by_output: Mapping[str, Mapping[str, float]]
    """The threshold on the probability of BAD, or of an error at a piece, by output and language pair; in (0, 1)."""

    @property
    def pairs(self) -> list[str]:
        """The language pairs with thresholds of their own."""
        return sorted({pair for own in self.by_output.values() for pair in own})

    def move(self, values: Mapping[str, NDArray[Any]], pairs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the values of a batch, in which the probabilities that equal the threshold of their pair are 0.5.

        Args:
            values: the values of an engine by output, segments first.
            pairs: the language pair of each segment; empty where it is not known.
        """
        moved = dict(values)
        for name, own in self.by_output.items():
            thresholds = np.array([own.get(pair, 0.5) for pair in pairs])
            if name not in values or (thresholds == 0.5).all():
                continue
            odds = (thresholds / (1.0 - thresholds)).astype(np.float32)
            if name == ERROR_SPANS:
                moved[name] = _move_units(values[name], odds)
            else:
                wrong = values[name]
                moved[name] = wrong / (wrong + odds[:, None] * (1.0 - wrong))
        return moved

    def without(self, outputs: Sequence[str]) -> PairThresholds | None:
        """Return the thresholds of other outputs; None if there are none."""
        left = {name: own for name, own in self.by_output.items() if name not in outputs and own}
        return PairThresholds(left) if left else None

    def cooled(self, output: str, temperature: float) -> PairThresholds:
        """Return thresholds for the logits of an output divided by a temperature, at which labels do not change."""
        if output not in self.by_output:
            return self
        own = {pair: float(sigmoid(logit(value) / temperature)) for pair, value in self.by_output[output].items()}
        return PairThresholds({**self.by_output, output: own})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for YAML and JSON."""
        return {name: dict(own) for name, own in self.by_output.items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PairThresholds:
        """Invert :meth:`to_dict`; raises various errors for other content."""
        found = {str(name): {str(pair): float(value) for pair, value in own.items()} for name, own in content.items()}
        if not all(0.0 < value < 1.0 for own in found.values() for value in own.values()):
            raise ValueError(f"found {content!r:.200}; expected thresholds between 0 and 1")
        return cls(found)

    def __str__(self) -> str:
        """Return the outputs and their language pairs, for people."""
        return "; ".join(f"{name} of {', '.join(own)}" for name, own in self.by_output.items())


def _move_units(probabilities: NDArray[Any], odds: NDArray[np.float32]) -> NDArray[Any]:
    """Move the probabilities of units, (batch, 2 * units + 1, 1 + severities), and leave those of gaps."""
    moved = probabilities.copy()
    units = moved[:, 1::2]
    units[..., 0] *= odds[:, None]
    units /= units.sum(axis=-1, keepdims=True)
    return moved


def logit(probability: float) -> float:
    """Return the logarithm of the odds of a probability in (0, 1)."""
    return float(np.log(probability / (1.0 - probability)))


def sigmoid(value: float) -> float:
    """Invert :func:`logit`."""
    return float(1.0 / (1.0 + np.exp(-value)))
