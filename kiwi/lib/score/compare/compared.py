"""The results of a comparison of systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass

from kiwi import __version__
from kiwi.lib.score.compare.translations import OnUnusable, Translations, Unusable
from kiwi.lib.score.scale import Scale, ScaleName
from kiwi.metrics.comparison import TEST, Comparison
from kiwi.utils.structured.strict import STRICT, StrictOptions

MAX_RESAMPLES = 1_000_000

Count = Annotated[int, Field(ge=0)]


@options_dataclass(frozen=True, config=STRICT)
class CompareOptions(StrictOptions):
    """The options of a comparison.

    Raises:
        ConfigError: when an option is unknown, of another type or out of range.
    """

    scale: ScaleName | None = None
    """The scale of the scores; None is that of the system."""

    higher_is_better: bool | None = None
    """Whether a higher score is better; by default, what the system remembers of its scores."""

    resamples: Annotated[int, Field(ge=0, le=MAX_RESAMPLES)] = 1000
    """The number of resamples of the bootstrap; 0 omits intervals and tests."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """The seed of the resamples."""

    n_shown: Count = 30
    """The number of segments that differ most to show."""

    on_unusable: OnUnusable = "skip"
    """What happens to segments that cannot be used."""


@dataclass(frozen=True)
class Compared:
    """The comparison of the translations of several systems."""

    translations: Translations

    scores: Mapping[str, NDArray[np.float64]]
    """The score of each segment by system; NaN for segments that are left out for all systems."""

    whole: Comparison
    """The comparison on all segments."""

    by_pair: Mapping[str, Comparison]
    """The comparison on the segments of each language pair."""

    differing: Sequence[int]
    """The indices of the segments whose scores differ most."""

    unusable: Unusable
    """The segments that cannot be used."""

    scale: Scale
    higher_is_better: bool
    model: str
    sha256: str
    options: CompareOptions

    @property
    def meaning(self) -> str:
        """What the scores mean, in words."""
        if self.scale.is_common:
            return "quality from 0 to 100, higher is better"
        better = f"score, {'higher' if self.higher_is_better else 'lower'} is better"
        return better if self.scale.meaning is None else str(self.scale.meaning)

    @property
    def n_left_out(self) -> int:
        """The number of segments that are left out."""
        return len(self.translations) - self.whole.n_segments

    def to_dict(self) -> dict[str, Any]:
        """Return all results as plain values, for JSON."""
        meaning = self.scale.meaning
        own_range = None if meaning is None or meaning.range is None else list(meaning.range)
        score = {
            "scale": "0-100" if self.scale.is_common else "own",
            "kind": None if meaning is None else meaning.kind,
            "higher_is_better": self.higher_is_better,
            "range": [0, 100] if self.scale.is_common else own_range,
        }
        scores = {
            system: [None if np.isnan(value) else value for value in values.tolist()]
            for system, values in self.scores.items()
        }
        shown = [
            {
                "segment": index + 1,
                "source": self.translations.source[index],
                "targets": {system: texts[index] for system, texts in self.translations.targets.items()},
                "scores": {system: values[index] for system, values in scores.items()},
            }
            for index in self.differing
        ]
        unusable = [{"segment": index + 1, "reasons": self.unusable[index]} for index in sorted(self.unusable)]
        return {
            "kiwi_version": __version__,
            "model": {"path": self.model, "sha256": self.sha256},
            "score": score,
            "test": TEST,
            "resamples": self.options.resamples,
            "seed": self.options.seed,
            "n_segments": self.whole.n_segments,
            "n_left_out": self.n_left_out,
            **_plain(self.whole),
            "language_pairs": {
                pair: {"n_segments": found.n_segments, **_plain(found)} for pair, found in self.by_pair.items()
            },
            "most_different": shown,
            "unusable": unusable,
            "scores": scores,
        }


def _plain(comparison: Comparison) -> dict[str, Any]:
    return {
        "systems": [asdict(each) for each in comparison.systems],
        "pairs": [asdict(each) | {"is_significant": each.is_significant} for each in comparison.pairs],
    }
