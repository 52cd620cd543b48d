"""The scale of the scores that ``kiwi score`` writes: the system's own, or one from 0 to 100 that all systems share."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.documents.rating import COMMON_SCALE, OWN_SCALE
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.data.labels.spans.options import PENALTY
from kiwi.exceptions import ConfigError
from kiwi.outputs import COMBINED_SCORE, MQM_SCORE, OUTPUTS
from kiwi.runner import Runner
from kiwi.runner.predictions import DIGITS

logger = logging.getLogger(__name__)

ScaleName = Literal["own", "0-100"]

ON_COMMON_SCALE = "0-100, higher is better"


@dataclass(frozen=True)
class Scale:
    """The scale of the scores that are written."""

    meaning: ScoreMeaning | None = None
    """What the system's scores mean, where it is known."""

    is_common: bool = False
    """Whether scores are written from 0 (worst) to 100 (best)."""

    @classmethod
    def choose(cls, name: ScaleName | None, runner: Runner, *, prefers_common: bool = False) -> Scale:
        """Return the scale to write.

        Args:
            name: the scale; None chooses one.
            runner: the system.
            prefers_common: whether to choose 0 to 100, for a system that knows what its scores mean.

        Raises:
            ConfigError: when 0 to 100 is asked for, and the system has no score or does not know what it means.
        """
        meaning = runner.about.data.score
        if name == "0-100" and const.SENTENCE_SCORES not in runner.about.outputs:
            outputs = ", ".join(runner.about.outputs)
            raise ConfigError(f"--scale 0-100: this system predicts {outputs}, and no score. Remove the option.")
        if name == "0-100" and meaning is None:
            raise ConfigError(
                "--scale 0-100: this system does not say what its scores mean. Set it with: kiwi inspect MODEL "
                "--set-score kind=hter (or da, mqm, esa, other)."
            )
        if name is None and prefers_common and meaning is None and const.SENTENCE_SCORES in runner.about.outputs:
            logger.warning(
                "Scores are written on the system's own scale, since it does not say what they mean. Set it with: kiwi "
                "inspect MODEL --set-score kind=hter (or da, mqm, esa, other)."
            )
        return cls(meaning, name == "0-100" or (name is None and prefers_common and meaning is not None))

    @property
    def higher_is_better(self) -> bool | None:
        """Whether a higher score is better, where it is known."""
        if self.is_common:
            return True
        return None if self.meaning is None else self.meaning.higher_is_better

    def direction(self, given: bool | None, purpose: str) -> bool:
        """Return whether a higher score is better, where something depends on it.

        Args:
            given: what ``--higher-is-better`` or ``--lower-is-better`` says.
            purpose: what depends on it, for errors.

        Raises:
            ConfigError: when it is not known, or the option contradicts what the system remembers of its scores.
        """
        known = self.higher_is_better
        if known is not None and given is not None and known != given:
            scores = "quality from 0 to 100, where higher is better" if self.is_common else str(self.meaning)
            option = "--higher-is-better" if given else "--lower-is-better"
            raise ConfigError(f"{option}: these scores are {scores}. Remove the option.")
        found = given if known is None else known
        if found is None:
            raise ConfigError(
                f"{purpose} needs to know which scores are good. Add --higher-is-better (such as DA) or "
                "--lower-is-better (such as HTER), or set it once with: kiwi inspect MODEL --set-score kind=hter."
            )
        return found

    @property
    def profile(self) -> str:
        """The IRI of the scale."""
        return COMMON_SCALE if self.is_common else OWN_SCALE

    @property
    def title(self) -> str:
        """The name of the column of scores in tables with a line of names, which says what the scores mean."""
        return self._title(const.SENTENCE_SCORES, self.meaning)

    def titled(self, names: Iterable[str]) -> list[str]:
        """Return the names of columns, with those of the scores saying what they mean."""
        titles = {
            const.SENTENCE_SCORES: self.title,
            MQM_SCORE: self._title(MQM_SCORE, PENALTY),
            COMBINED_SCORE: f"{COMBINED_SCORE} ({ON_COMMON_SCALE})",
        }
        return [titles.get(name, name) for name in names]

    def _title(self, name: str, meaning: ScoreMeaning | None) -> str:
        if self.is_common:
            return f"{name} ({ON_COMMON_SCALE})"
        if meaning is None:
            return name
        return f"{name} ({meaning.summary})"

    def describe(self) -> dict[str, Any]:
        """Return the kind, the direction and the range of the scores, for JSON; null is unknown, or without bounds."""
        kind = "unknown" if self.meaning is None else self.meaning.kind
        own = None if self.meaning is None or self.meaning.range is None else list(self.meaning.range)
        limits = [0, 100] if self.is_common else own
        return {"kind": kind, "higher_is_better": self.higher_is_better, "range": limits}

    def apply(self, found: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return columns of predictions with the scores on this scale.

        Args:
            found: the columns of the system's predictions.
        """
        if not self.is_common or self.meaning is None or const.SENTENCE_SCORES not in found:
            return found
        score, deviation, low, high = OUTPUTS[const.SENTENCE_SCORES].columns
        scaled = found | {score: _rounded(self.meaning.to_quality(found[score]))}
        if MQM_SCORE in found:
            scaled[MQM_SCORE] = _rounded(PENALTY.to_quality(found[MQM_SCORE]))
        if deviation in found:
            scaled[deviation] = _rounded(np.array(found[deviation]) * self.meaning.quality_per_score)
        if low in found:
            ends = [_rounded(self.meaning.to_quality(found[end])) for end in (low, high)]
            scaled[low], scaled[high] = ends if self.meaning.higher_is_better else reversed(ends)
        return scaled


def _rounded(values: NDArray[np.float64]) -> list[float]:
    """Return the values with as many digits as other predictions have."""
    rounded: list[float] = values.round(DIGITS).tolist()
    return rounded
