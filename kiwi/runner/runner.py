"""The runner, which predicts texts with an engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch
from kiwi.data.collate import Row, note_long_segments
from kiwi.data.files.lines import Columns
from kiwi.data.labels.spans.decoding import decode_batch
from kiwi.data.sampling import batches_by_tokens
from kiwi.data.segments.bad_rows import OnBad
from kiwi.exceptions import ConfigError, DataError
from kiwi.outputs import OUTPUTS, Unit
from kiwi.runner.arguments import read_segments
from kiwi.runner.auto_aligner import AutoAligner, switched_off
from kiwi.runner.engine import AboutSystem, Engine
from kiwi.runner.options import PredictOptions
from kiwi.runner.predictions import Predictions
from kiwi.runner.watch import InputWatch


@dataclass(frozen=True)
class ChunkPredictions:
    """The predictions of a chunk of the data."""

    predictions: Predictions
    """The predictions of its segments."""

    n_long: int
    """The number of segments that are longer than the encoder's maximum."""

    n_cut: int
    """The number of segments that are truncated."""


class Runner:
    """Predicts with a trained system.

    Args:
        engine: the engine that computes.
        options: how it predicts, unless a call has options of its own.
    """

    def __init__(self, engine: Engine, options: PredictOptions | None = None) -> None:
        self.engine = engine
        self.options = options or PredictOptions()
        self.on_computed: Callable[[int], None] = lambda n_segments: None
        """A function to call after each batch, with the number of its segments."""
        self.watch = InputWatch(engine.about.data, engine.collate.pieces)
        """What warns about unusual input."""
        self.auto_aligner = AutoAligner(engine.about.class_name, self.options)
        """What aligns words where alignments are read and not given."""

    @property
    def about(self) -> AboutSystem:
        """The description of the system."""
        return self.engine.about

    def predict(
        self,
        source: Iterable[str],
        target: Iterable[str],
        alignments: Iterable[str] | None = None,
        batch_size: int | None = None,
        num_data_workers: int | None = None,
        source_pos: Iterable[str] | None = None,
        target_pos: Iterable[str] | None = None,
        batch_tokens: int | None = None,
        deduplicate: bool | None = None,
        on_bad: OnBad | None = None,
        language_pairs: Iterable[str] | None = None,
    ) -> Predictions:
        """Estimate the quality of translations. A segment's result does not depend on the others.

        Segments are computed longest first, in batches of similar length.

        Args:
            source: the source segments, words separated by spaces.
            target: the translations, words separated by spaces.
            alignments: the ``i-j`` pairs of each segment, source index first, from zero; for systems that read them.
                Without them, kiwi aligns by itself, see :attr:`PredictOptions.align`.
            batch_size: see :attr:`PredictOptions.batch_size`.
            num_data_workers: see :attr:`PredictOptions.num_data_workers`.
            source_pos: the part-of-speech tags of the source words; for systems that read them.
            target_pos: the part-of-speech tags of the target words; for systems that read them.
            batch_tokens: see :attr:`PredictOptions.batch_tokens`.
            deduplicate: see :attr:`PredictOptions.deduplicate`.
            on_bad: see :attr:`PredictOptions.on_bad`.
            language_pairs: the language pair of each segment, such as ``en-de``; for the intervals and thresholds
                of a system that has them for several.

        Returns:
            The predictions in the order of the segments.

        Raises:
            DataError: when a segment cannot be used, such as one with only one side empty, and ``on_bad`` is ``stop``;
                the message names it.
            ConfigError: when alignments are read, and neither given nor made.
            MissingExtraError: when they are to be made, and the encoder is not installed.
        """
        changes: dict[str, Any] = {
            "batch_size": batch_size,
            "batch_tokens": batch_tokens,
            "num_data_workers": num_data_workers,
            "deduplicate": deduplicate,
            "on_bad": on_bad,
        }
        options = replace(self.options, **{name: value for name, value in changes.items() if value is not None})
        optional = {
            const.ALIGNMENTS: alignments,
            const.SOURCE_POS: source_pos,
            const.TARGET_POS: target_pos,
            const.LANGUAGE_PAIR: language_pairs,
        }
        present = {field: column for field, column in optional.items() if column is not None}
        columns = read_segments({const.SOURCE: source, const.TARGET: target, **present}, options.on_bad)
        self._check_fields(columns)
        note_long_segments([self.engine.collate.count_long(columns)])
        return self.predict_columns(columns, options)

    def predict_columns(self, columns: Columns, options: PredictOptions | None = None) -> Predictions:
        """Estimate the quality of segments that are already checked; see :meth:`predict`.

        Args:
            columns: the fields that the system reads, by name.
            options: how to predict; by default, the options of the runner.

        Raises:
            ConfigError: when the options would load the system in another way.
            DataError: when a field that the system reads is missing.
        """
        options = options or self.options
        if changed := options.loading_changes(self.options):
            raise ConfigError(f"{', '.join(changed)}: fixed when a system is loaded. Give it to load_system.")
        self._check_fields(columns)
        self.watch.see(columns)
        n_segments = len(columns[const.TARGET])
        names = (*self.about.input_fields, *([const.LANGUAGE_PAIR] if self.about.data.thresholds is not None else []))
        fields = {field: columns[field] for field in names if field in columns}
        duplicates: dict[tuple[str | int, ...], list[int]] = {}  # the indices of equal segments
        for index, texts in enumerate(zip(*fields.values(), strict=True)):
            duplicates.setdefault(texts if options.deduplicate else (index,), []).append(index)
        # Sorted by text, so that neither the batches nor the last bits of the results depend on the order of the
        # segments.
        by_text = sorted(duplicates.values(), key=lambda indices: [column[indices[0]] for column in fields.values()])
        firsts = [indices[0] for indices in by_text if columns[const.TARGET][indices[0]].strip(" \t")]
        unique = {field: [column[index] for index in firsts] for field, column in fields.items()}
        rows = [dict(zip(unique, row, strict=True)) for row in zip(*unique.values(), strict=True)]
        lengths = self.engine.collate.lengths(unique)
        batches = batches_by_tokens(lengths, options.batch_tokens or self.engine.batch_tokens, options.batch_size)
        values: dict[str, list[Any]] = {}
        self.watch.note_very_long(lengths, unique)
        for chosen, batch in zip(batches, self._prepare(rows, batches, options.num_data_workers), strict=True):
            pairs = [rows[index][const.LANGUAGE_PAIR] for index in chosen] if const.LANGUAGE_PAIR in fields else None
            computed = self.engine(batch)
            penalties = self.about.expected_penalties(computed, batch)
            moved = self.about.with_thresholds(computed, pairs)
            for name, found in (self._split_by_segment(moved, batch) | penalties).items():
                results = values.setdefault(name, [None] * n_segments)
                for index, value in zip(chosen, found, strict=True):
                    results[firsts[index]] = value
            self.on_computed(len(chosen))
        for first, *others in duplicates.values():
            for results in values.values():
                for index in others:
                    results[index] = results[first]
        predictions = Predictions.from_values(
            values,
            n_segments,
            self.about.outputs,
            use_distribution=self.about.use_distribution,
            span_level=self.about.span_level,
            meaning=self.about.data.score,
        )
        return self.about.with_intervals(predictions, columns.get(const.LANGUAGE_PAIR))

    def predict_chunks(self, chunks: Iterable[Columns]) -> Iterator[ChunkPredictions]:
        """Predict the chunks of the data, in order; see :meth:`predict_columns`."""
        return map(self.predict_chunk, chunks)

    def predict_chunk(self, columns: Columns) -> ChunkPredictions:
        """Predict a chunk of the data, and count its long segments; see :meth:`predict_columns`."""
        return ChunkPredictions(self.predict_columns(columns), *self.engine.collate.count_long(columns))

    def close(self) -> None:
        """Do nothing; :class:`kiwi.runner.processes.RunnerPool` ends its processes here."""

    def prepare_aligner(self) -> str:
        """Load what aligns words, before the first segments without alignments are predicted.

        Returns:
            Its name and the hash of its weights, which alignments depend on.

        Raises:
            ConfigError: when kiwi is not to align, or the encoder cannot be loaded.
            MissingExtraError: when the encoder is not installed.
        """
        return self.auto_aligner.load().engine.identity

    def _check_fields(self, columns: Columns) -> None:
        missing = [field for field in self.about.input_fields if field not in columns]
        if missing == [const.ALIGNMENTS]:
            if not self.options.align:
                raise switched_off(self.about.class_name)
        elif missing:
            raise DataError(f"This system ({self.about.class_name}) reads {', '.join(missing)}, which is not given.")

    def _prepare(self, rows: Sequence[Row], batches: Sequence[Sequence[int]], ahead: int) -> Iterator[NumpyBatch]:
        """Yield the arrays of each batch, prepared in a thread up to ``ahead`` batches before they are needed.

        Rows whose alignments are read and not given are aligned here, batch by batch, so that progress is steady.
        """
        must_align = const.ALIGNMENTS in self.about.input_fields and bool(rows) and const.ALIGNMENTS not in rows[0]

        def collate(indices: Sequence[int]) -> NumpyBatch:
            chosen = [rows[index] for index in indices]
            return self.engine.collate(self.auto_aligner.add(chosen) if must_align else chosen)

        if not ahead:
            yield from map(collate, batches)
            return
        with ThreadPoolExecutor(1, "kiwi-batches") as thread:
            prepared: deque[Future[NumpyBatch]] = deque()
            for indices in batches:
                prepared.append(thread.submit(collate, indices))
                if len(prepared) > ahead:
                    yield prepared.popleft().result()
            while prepared:
                yield prepared.popleft().result()

    def _split_by_segment(self, values: dict[str, NDArray[Any]], batch: NumpyBatch) -> dict[str, list[Any]]:
        """Return the values of an engine by segment, without padding: a number, a list of numbers, or error spans."""
        spans = {}
        if self.about.span_level is not None:
            assert batch.unit_mask is not None
            assert batch.unit_bounds is not None
            probabilities = values.pop(const.ERROR_SPANS)
            spans[const.ERROR_SPANS] = decode_batch(
                probabilities, batch.unit_mask, batch.unit_bounds, self.about.span_level.severities
            )
        return _without_padding(values, batch) | spans


def _without_padding(values: dict[str, NDArray[Any]], batch: NumpyBatch) -> dict[str, list[Any]]:
    """Return the values of an engine by segment: a number or a list of numbers for each."""
    n_target, n_source = (np.count_nonzero(mask, axis=1) for mask in (batch.target_mask, batch.source_mask))
    lengths: dict[Unit, NDArray[np.int64]] = {"target word": n_target, "gap": n_target + 1, "source word": n_source}
    counts = {spec.name: lengths[spec.unit] for spec in OUTPUTS.values() if spec.kind == "tags"}
    found: dict[str, list[Any]] = {}
    for name, array in values.items():
        found[name] = array.tolist()
        if name in counts:
            found[name] = [row[:count] for row, count in zip(found[name], counts[name].tolist(), strict=True)]
    return found
