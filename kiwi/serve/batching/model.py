"""A trained system as a worker computes with it, and a runner whose segments go through the queue of a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from typing_extensions import override

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.exceptions import ConfigError, MissingExtraError
from kiwi.runner import Predictions, PredictOptions, Runner
from kiwi.runner.engine import AboutSystem
from kiwi.runner.watch import InputWatch
from kiwi.serve.batching.cache import Row, Texts
from kiwi.serve.batching.worker import Worker
from kiwi.systems.manifest.data_info import DataInfo

POLL = 0.5
"""The number of seconds between two looks at the progress of a file."""


class SystemModel:
    """A trained system as the model of a :class:`kiwi.serve.batching.worker.Worker`.

    Args:
        runner: the loaded system.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.about: AboutSystem = runner.about
        self.options = runner.options
        self.batch_tokens: int = runner.options.batch_tokens or runner.engine.batch_tokens
        runner.watch = InputWatch(DataInfo())  # whose warnings quote texts
        runner.auto_aligner.announces = False
        self.needs_alignments = not _can_align(runner)
        """Whether each segment must have alignments."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the system reads, in the order of the texts of a segment, and the language pair.

        All systems have the same last field, so that a new version of one can take over what waits for it.
        """
        return (*self.about.input_fields, const.LANGUAGE_PAIR)

    def lengths(self, segments: Sequence[Texts]) -> list[int]:
        """Return the number of words or pieces of each segment."""
        if not segments:
            return []
        return self._runner.engine.collate.lengths(self._columns(segments))

    def predict(self, segments: Sequence[Texts]) -> list[Row]:
        """Return the predictions for each segment."""
        rows: list[Row] = [{}] * len(segments)
        # Alignments are made for all segments of a batch or for none, and language pairs are known of all or of none.
        parts: dict[tuple[bool, ...], list[int]] = {}
        for index, texts in enumerate(segments):
            parts.setdefault(tuple(text is None for text in texts), []).append(index)
        for indices in parts.values():
            found = self._runner.predict_columns(self._columns([segments[index] for index in indices]))
            for index, row in zip(indices, split_rows(found), strict=True):
                rows[index] = row
        return rows

    def _columns(self, segments: Sequence[Texts]) -> Columns:
        # The language pair may be left out.
        columns = dict(zip(self.fields, map(list, zip(*segments, strict=True)), strict=False))
        return {name: column for name, column in columns.items() if column[0] is not None}


def _can_align(runner: Runner) -> bool:
    if const.ALIGNMENTS not in runner.about.input_fields:
        return True
    try:
        runner.prepare_aligner()
    except (ConfigError, MissingExtraError):
        if runner.options.aligner is not None:
            raise
        return False
    return True


def split_rows(predictions: Predictions) -> list[Row]:
    """Return the predictions for each segment, by attribute."""
    found = {name: values for name in Predictions.attributes() if (values := predictions.get(name)) is not None}
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def join_rows(rows: Sequence[Row], about: AboutSystem) -> Predictions:
    """Return predictions of several segments, the inverse of :func:`split_rows`.

    Args:
        rows: the predictions for each segment.
        about: the system that has made them.
    """
    if not rows:
        return about.no_predictions()
    return Predictions.from_attributes({name: [row[name] for row in rows] for name in rows[0]})


class QueuedRunner(Runner):
    """A runner for a large file, whose segments wait in the queue of a worker beside those of other requests.

    Args:
        runner: the runner of the worker.
        worker: the worker.
        on_scored: is called with the number of segments that are scored, again and again while they are; what it raises
            ends the prediction.
    """

    def __init__(self, runner: Runner, worker: Worker, on_scored: Callable[[int], None]) -> None:
        super().__init__(runner.engine, runner.options)
        self.watch = InputWatch(DataInfo())
        self._worker = worker
        self._on_scored = on_scored
        self._n_scored = 0

    @override
    def prepare_aligner(self) -> str:
        return ""  # the runner of the worker has done it

    @override
    def predict_columns(self, columns: Columns, options: PredictOptions | None = None) -> Predictions:
        self._check_fields(columns)
        given: list[Any] = [columns.get(name) for name in self.about.input_fields]
        given.append(columns.get(const.LANGUAGE_PAIR) if self.about.data.thresholds is not None else None)
        n_segments = len(columns[const.TARGET])
        segments = list(zip(*([None] * n_segments if column is None else column for column in given), strict=True))
        ticket = self._worker.submit(self._worker.measure(segments), is_bounded=False)
        try:
            while True:
                self._on_scored(self._n_scored + n_segments - ticket.rows.count(None))
                with suppress(TimeoutError):
                    rows = ticket.future.result(POLL)
                    break
        except BaseException:
            ticket.future.cancel()
            raise
        self._n_scored += n_segments
        self._on_scored(self._n_scored)
        return self.about.with_intervals(join_rows(rows, self.about), columns.get(const.LANGUAGE_PAIR))
