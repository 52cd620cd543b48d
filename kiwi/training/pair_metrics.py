"""The metrics of a validation: those of all segments or, with language pairs, those of each pair and their means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kiwi.data.sampling import batches_by_group, longest_first
from kiwi.data.text.language_pairs import count_pairs
from kiwi.metrics.accumulators import Accumulator
from kiwi.metrics.functions import mean_over_pairs

Accumulators = dict[str, Accumulator]

NO_PAIR = ""
"""The name under which accumulators are kept where the data has no language pairs."""


class PairMetrics:
    """Accumulates the metrics of each language pair, in batches of one pair each.

    Args:
        pairs: the language pair of each validation segment; empty where the data has none.
    """

    def __init__(self, pairs: Sequence[str]) -> None:
        self._pairs = pairs
        self.counts = count_pairs(pairs)
        """The number of validation segments of each language pair."""
        self.accumulators: dict[str, Accumulators] = {}
        self._pairs_of_batches: list[str] = []

    def batches(self, lengths: Sequence[int], batch_size: int, rank: int, world_size: int) -> list[list[int]]:
        """Return the batches of a process, of segments of similar length and one language pair, longest first.

        Args:
            lengths: the length of each segment.
            batch_size: the maximum number of segments in a batch.
            rank: the rank of the process, which gets every ``world_size``-th batch.
            world_size: the number of processes.
        """
        if self.counts:
            batches, pairs = batches_by_group(lengths, self._pairs, batch_size)
        else:
            batches = longest_first(lengths, batch_size)
            pairs = [NO_PAIR] * len(batches)
        self._pairs_of_batches = pairs[rank::world_size]
        return batches[rank::world_size]

    def reset(self, build: Callable[[], Accumulators]) -> None:
        """Start a validation with empty accumulators.

        Args:
            build: creates accumulators by output.
        """
        self.accumulators = {pair: build() for pair in self.counts or (NO_PAIR,)}

    def of_batch(self, index: int) -> Accumulators:
        """Return the accumulators of a batch of this process."""
        return self.accumulators[self._pairs_of_batches[index]]

    def compute(self, gathered: Sequence[Mapping[str, Accumulators]]) -> dict[str, float]:
        """Merge the accumulators of all processes, and compute the metrics.

        Returns:
            The metrics by name. With language pairs, they are the unweighted means over the pairs, and those of each
            pair follow, such as ``en-de_PEARSON``.
        """
        first, *others = gathered
        for other in others:
            for pair, accumulators in first.items():
                for name, accumulator in accumulators.items():
                    accumulator.merge(other[pair][name])
        # Without any labels there are metrics of all outputs; otherwise those of outputs that have labels in some pair,
        # and a pair that has labels of some kinds only has no metrics of the others.
        labelled = {name for accumulators in first.values() for name, own in accumulators.items() if not own.is_empty}
        by_pair: dict[str, dict[str, float]] = {pair: {} for pair in first}
        for pair, accumulators in first.items():
            lacking = {name for name in labelled if accumulators[name].is_empty}
            for name, accumulator in accumulators.items():
                if name in (labelled or accumulators) and (name not in lacking or lacking == labelled):
                    by_pair[pair] |= accumulator.compute()
        of_pairs = {f"{pair}_{name}": value for pair in self.counts for name, value in by_pair[pair].items()}
        # A pair without any label that others have is not part of the means.
        measured = {
            pair: by_pair[pair]
            for pair, accumulators in first.items()
            if not all(accumulators[name].is_empty for name in labelled)
        }
        return mean_over_pairs(measured or by_pair) | of_pairs

    def describe(self, metrics: Mapping[str, float], main_metric: Sequence[str]) -> list[str]:
        """Return lines for the log: the metrics and, with language pairs, the main ones of each pair.

        Args:
            metrics: the result of :meth:`compute`.
            main_metric: the names of the main metrics.
        """

        def listed(names: Sequence[str], prefix: str = "") -> str:
            return ", ".join(f"{name} {metrics[prefix + name]:.4f}" for name in names if prefix + name in metrics)

        own = [name for name in metrics if not name.startswith(tuple(f"{pair}_" for pair in self.counts))]
        shown = listed([name for name in own if "F1_" not in name])
        if not self.counts:
            return [shown]
        lines = [f"mean of {len(self.counts)} language pairs: {shown}"]
        lines += [f"  {pair} ({n:,} segments): {listed(main_metric, f'{pair}_')}" for pair, n in self.counts.items()]
        return lines
