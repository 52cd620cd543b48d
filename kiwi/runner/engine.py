"""The interface of engines, and the description of a system that each engine provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.collate import Collate
from kiwi.data.labels.spans.decoding import expected_penalties
from kiwi.data.labels.spans.options import SpanLevelConfig
from kiwi.data.text.language_pairs import known_pair, known_pairs
from kiwi.runner.predictions import EXPECTED_PENALTY, Predictions
from kiwi.systems.manifest.data_info import DataInfo


@dataclass(frozen=True)
class AboutSystem:
    """The description of a trained system that prediction needs."""

    class_name: str
    """The name of its class in configurations, such as ``NuQE``."""

    input_fields: tuple[str, ...]
    """The fields of the data that it reads."""

    outputs: tuple[str, ...]
    """The names of the outputs that it predicts."""

    use_distribution: bool = False
    """Whether scores come with standard deviations."""

    span_level: SpanLevelConfig | None = None
    """The options of error spans, if it predicts them."""

    data: DataInfo = field(default_factory=DataInfo)
    """The data that it was trained on."""

    n_parameters: int = 0
    """The number of weights."""

    sha256: str = ""
    """The hash of its checkpoint; for an exported system, the hash of the checkpoint that was exported."""

    precision: str = "32"
    """The precision of the computation: ``32``, ``bf16``, ``16``, or ``int8`` for an exported system in 8 bits."""

    export_sha256: str = ""
    """The hash of an exported system; empty for a checkpoint."""

    place: Path | None = None
    """The directory that it was loaded from."""

    @property
    def pairs(self) -> list[str]:
        """The language pairs whose predictions have intervals or thresholds of their own."""
        intervals, thresholds = self.data.intervals, self.data.thresholds
        found: set[str] = set()
        if intervals is not None and const.SENTENCE_SCORES in self.outputs:
            found.update(intervals.pairs)
        if thresholds is not None:
            found.update(thresholds.pairs)
        return sorted(found)

    @property
    def reads_pairs(self) -> bool:
        """Whether predictions depend on the language pair, where it is known."""
        return bool(self.pairs)

    def pair_of(self, source: str, target: str) -> str:
        """Return the language pair of two BCP 47 tags; by their languages alone, where the system knows it so."""
        return known_pair(source, target, self.pairs)

    def with_thresholds(self, values: dict[str, NDArray[Any]], pairs: Sequence[str] | None) -> dict[str, NDArray[Any]]:
        """Return the values of a batch with the thresholds of language pairs moved to 0.5.

        Args:
            values: the values of an engine.
            pairs: the language pair of each segment; None if they are not known.
        """
        thresholds = self.data.thresholds
        if thresholds is None or pairs is None:
            return values
        return thresholds.move(values, known_pairs(pairs, self.pairs))

    def expected_penalties(self, values: Mapping[str, NDArray[Any]], batch: NumpyBatch) -> dict[str, list[Any]]:
        """Return the penalty of each segment that combined scores include, if it is not that of the spans.

        Args:
            values: the values of an engine, so that it is the same whether or not language pairs are known.
            batch: the batch that they were computed from.
        """
        options = self.span_level
        if options is None or options.combined_from == "spans" or const.SENTENCE_SCORES not in self.outputs:
            return {}
        assert batch.unit_mask is not None
        found = expected_penalties(values[const.ERROR_SPANS], batch.unit_mask, options.severities, options.points)
        return {EXPECTED_PENALTY: found}

    def no_predictions(self) -> Predictions:
        """Return its predictions for no segment, which have all of its outputs and files."""
        found = Predictions.from_values(
            {},
            0,
            self.outputs,
            use_distribution=self.use_distribution,
            span_level=self.span_level,
            meaning=self.data.score,
        )
        return self.with_intervals(found)

    def with_intervals(self, predictions: Predictions, pairs: Sequence[str] | None = None) -> Predictions:
        """Return predictions with the intervals of their scores; as they are, if the system is not calibrated.

        Args:
            predictions: its predictions.
            pairs: the language pair of each segment, where it is known.
        """
        intervals, scores = self.data.intervals, predictions.sentences_hter
        if intervals is None or scores is None:
            return predictions
        pairs = None if pairs is None else known_pairs(pairs, self.pairs)
        limits = None if self.data.score is None else self.data.score.possible
        ends = intervals.bounds(scores, predictions.sentences_hter_deviation, pairs, limits=limits)
        low, high = ends.T.tolist()
        return replace(predictions, sentences_hter_low=low, sentences_hter_high=high)


class Engine(ABC):
    """Computes batches with a trained system."""

    about: AboutSystem
    """The description of the system."""

    collate: Collate
    """The function that turns rows into a batch."""

    batch_tokens: int
    """The default maximum number of words (or pieces) of source plus target in a batch, padding included."""

    @abstractmethod
    def __call__(self, batch: NumpyBatch) -> dict[str, NDArray[Any]]:
        """Compute the outputs of the system for a batch.

        Returns:
            float32 arrays by output: ``target_tags`` (batch, target_words), ``gap_tags`` (batch, target_words + 1),
            ``source_tags`` (batch, source_words) and ``binary`` (batch,) are probabilities of BAD, with arbitrary
            values at padding; ``sentence_scores`` (batch,) are scores; ``sentence_scores_extras`` (batch, 2) are means
            and standard deviations; ``error_spans`` (batch, 2 * units + 1, 1 + severities) are probabilities of OK and
            of each severity for gaps and units, alternating.
        """


def best_batch_tokens(collate: Collate, *, on_cpu: bool) -> int:
    """Return the default maximum number of tokens in a batch; see :attr:`Engine.batch_tokens`.

    Args:
        collate: the collate function of its system.
        on_cpu: whether it computes on the CPU.
    """
    if not on_cpu:
        return 16384
    # As much as fits in the caches of a CPU; recurrent layers process one step of all segments at a time, so more fits.
    return 1024 if collate.pieces is not None else 8192
