"""A trained system and texts to predictions, and predictions to files."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from kiwi import constants as const
from kiwi.data.readers import Columns, check_alignments, check_segments, check_word_counts
from kiwi.data.sampling import longest_first
from kiwi.data.tags import interleave, to_labels
from kiwi.data.tokenization import words
from kiwi.exceptions import ConfigError, DataError
from kiwi.systems.architectures import ARCHITECTURES
from kiwi.systems.base import as_tensors, build_loader
from kiwi.systems.checkpoint_info import read_checkpoint_info
from kiwi.systems.hub import locate
from kiwi.systems.outputs.quality_estimation import QEOutputs
from kiwi.systems.outputs.sentence_level import SENTENCE_SCORES_EXTRAS
from kiwi.systems.qe_system import QESystem
from kiwi.systems.system_config import model_config_of
from kiwi.utils.io import write_lines

logger = logging.getLogger(__name__)


SCORE_FILES = (const.SENTENCE_SCORES, SENTENCE_SCORES_EXTRAS)


@dataclass(frozen=True)
class Predictions:
    """What a system says of each segment; None where it has no such output.

    Probabilities are of BAD; a label is BAD where the probability is above 0.5. A segment whose source and target
    are both empty has the score NaN and no tags.
    """

    sentences_hter: list[float] | None = None
    """Scores, on the scale of the training data."""

    sentences_hter_deviation: list[float] | None = None
    """Standard deviation of each score; there with ``use_distribution``."""

    sentences_binary_BAD_probabilities: list[float] | None = None
    """Probability that a segment needs any edit."""

    sentences_binary_labels: list[str] | None = None
    """OK where no edit is expected; empty for a segment whose source and target are."""

    target_tags_BAD_probabilities: list[list[float]] | None = None
    """One a target word."""

    target_tags_labels: list[list[str]] | None = None
    """One a target word."""

    gap_tags_BAD_probabilities: list[list[float]] | None = None
    """One a gap, n+1 for n target words."""

    gap_tags_labels: list[list[str]] | None = None
    """One a gap, n+1 for n target words."""

    source_tags_BAD_probabilities: list[list[float]] | None = None
    """One a source word."""

    source_tags_labels: list[list[str]] | None = None
    """One a source word."""

    def __len__(self) -> int:
        return next((len(value) for f in fields(self) if (value := getattr(self, f.name)) is not None), 0)

    @property
    def targetgaps_tags_BAD_probabilities(self) -> list[list[Any]] | None:
        """Gap, word, gap, ..., gap: 2n+1 a segment, where both are there."""
        gaps, target = self.gap_tags_BAD_probabilities, self.target_tags_BAD_probabilities
        if gaps is None or target is None:
            return None
        return [interleave(*pair) for pair in zip(gaps, target, strict=True)]

    def save(self, directory: Path) -> list[Path]:
        """Write a file for each output that is there, one line a segment; see the reference for their names.

        Returns:
            The files.
        """
        binary = self.sentences_binary_BAD_probabilities
        probabilities: dict[str, list[list[Any]] | None] = {
            const.TARGET_TAGS: self.target_tags_BAD_probabilities,
            const.GAP_TAGS: self.gap_tags_BAD_probabilities,
            const.SOURCE_TAGS: self.source_tags_BAD_probabilities,
            const.TARGETGAPS_TAGS: self.targetgaps_tags_BAD_probabilities,
            const.BINARY: None if binary is None else [[p] for p in binary],
        }
        content: dict[str, list[str]] = {}
        for name, rows in probabilities.items():
            if rows is not None:
                content[name] = [" ".join(f"{value:.6f}" for value in row) for row in rows]
                content[f"{name}_labels"] = [
                    "" if any(map(math.isnan, row)) else " ".join(to_labels(row)) for row in rows
                ]
        if self.sentences_hter is not None:
            content[const.SENTENCE_SCORES] = [f"{score:.6f}" for score in self.sentences_hter]
            if self.sentences_hter_deviation is not None:
                pairs = zip(self.sentences_hter, self.sentences_hter_deviation, strict=True)
                content[SENTENCE_SCORES_EXTRAS] = [f"{mean:.6f}\t{deviation:.6f}" for mean, deviation in pairs]
        for stale in (*probabilities, *(f"{name}_labels" for name in probabilities), *SCORE_FILES):
            if stale not in content:
                (directory / stale).unlink(missing_ok=True)  # of a former prediction, with other outputs
        for name, lines in content.items():
            write_lines(directory / name, lines)
        return [directory / name for name in content]


class Runner:
    """Predicts with a trained system.

    Args:
        system: trained.
        device: where it runs.
    """

    def __init__(self, system: QESystem, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.system = system.to(self.device).eval()

    def predict(
        self,
        source: Sequence[str],
        target: Sequence[str],
        alignments: Sequence[str] | None = None,
        batch_size: int = 1,
        num_data_workers: int = 0,
        source_pos: Sequence[str] | None = None,
        target_pos: Sequence[str] | None = None,
    ) -> Predictions:
        """Estimate the quality of translations. A segment's result does not depend on the others.

        Args:
            source: segments, words separated by spaces.
            target: their translations.
            alignments: ``i-j`` pairs for each segment, source index first, from zero; for systems that read them.
            batch_size: segments computed at once.
            num_data_workers: processes that prepare batches; 0 prepares them in this one.
            source_pos: part-of-speech tags, one a source word; for systems that read them.
            target_pos: part-of-speech tags, one a target word; for systems that read them.

        Returns:
            Predictions in the order of the segments.

        Raises:
            DataError: naming the segment; for one that has only one side empty, too.
        """
        if batch_size < 1 or num_data_workers < 0:
            raise ConfigError(f"Found batch_size={batch_size}, num_data_workers={num_data_workers}; expected ≥ 1, ≥ 0.")
        given = {
            const.SOURCE: source,
            const.TARGET: target,
            const.ALIGNMENTS: alignments,
            const.SOURCE_POS: source_pos,
            const.TARGET_POS: target_pos,
        }
        for field, column in given.items():
            if isinstance(column, str):
                raise DataError(f"{field}: found one string; expected a list with a string for each segment.")
        there = {field: column for field, column in given.items() if column is not None}
        columns = {field: [segment.rstrip("\r\n") for segment in column] for field, column in there.items()}
        if len({len(column) for column in columns.values()}) > 1:
            lengths = ", ".join(f"{field} has {len(column)}" for field, column in columns.items())
            raise DataError(f"Lists of different length: {lengths} segments; expected the same of each.")
        check_segments(columns, PLACES, allow_empty=True)
        check_word_counts(columns, PLACES)
        if alignments is not None:
            check_alignments(columns, PLACES)
        return self.predict_columns(columns, batch_size=batch_size, num_data_workers=num_data_workers)

    def predict_columns(self, columns: Columns, *, batch_size: int = 1, num_data_workers: int = 0) -> Predictions:
        """As :meth:`predict`, for columns that are already checked.

        Raises:
            DataError: when a field that the system reads is not there.
        """
        missing = [field for field in self.system.input_fields if field not in columns]
        if missing:
            raise DataError(f"This system ({self.system.class_name}) reads {', '.join(missing)}, which is not given.")
        self.system.note_long_segments(columns)
        fields = {field: columns[field] for field in self.system.input_fields}
        rows = [dict(zip(fields, row, strict=True)) for row in zip(*fields.values(), strict=True)]
        lengths = self.system.lengths(columns)
        there = [index for index, row in enumerate(rows) if words(row[const.TARGET])]
        batches = longest_first([lengths[index] for index in there], batch_size)
        batches = [[there[position] for position in batch] for batch in batches]
        decoded: dict[str, list[Any]] = {}
        loader = build_loader(rows, batches, self.system.collate, num_data_workers)
        with torch.inference_mode():
            for indices, arrays in zip(batches, loader, strict=True):
                batch = as_tensors(arrays, self.device)
                for name, values in self.system.outputs.decode(self.system(batch), batch).items():
                    column = decoded.setdefault(name, [None] * len(rows))
                    for index, value in zip(indices, values, strict=True):
                        column[index] = value
        return self._predictions(decoded, len(rows))

    def _predictions(self, decoded: Mapping[str, list[Any]], n_segments: int) -> Predictions:
        names = self.system.model_config.outputs.names
        values: dict[str, list[Any]] = {}
        for name in (const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS):
            if name in names:
                rows = [row or [] for row in decoded.get(name, [None] * n_segments)]
                values[f"{name}_BAD_probabilities"] = rows
                values[f"{name}_labels"] = [to_labels(row) for row in rows]
        nothing = [None] * n_segments
        if const.SENTENCE_SCORES in names:
            scores = decoded.get(const.SENTENCE_SCORES, nothing)
            values["sentences_hter"] = [math.nan if score is None else score for score in scores]
        if const.SENTENCE_SCORES in names and self.system.model_config.outputs.sentence_level.use_distribution:
            pairs = decoded.get(SENTENCE_SCORES_EXTRAS, nothing)
            values["sentences_hter_deviation"] = [math.nan if pair is None else pair[1] for pair in pairs]
        if const.BINARY in names:
            binary = [math.nan if p is None else p for p in decoded.get(const.BINARY, nothing)]
            values["sentences_binary_BAD_probabilities"] = binary
            values["sentences_binary_labels"] = ["" if math.isnan(p) else to_labels([p])[0] for p in binary]
        return Predictions(**values)


PLACES = {
    const.SOURCE: "source",
    const.TARGET: "target",
    const.ALIGNMENTS: "alignments",
    const.SOURCE_POS: "source_pos",
    const.TARGET_POS: "target_pos",
}
"""What errors call the arguments of :meth:`Runner.predict`."""


def load_system(
    path: str | Path,
    gpu_id: int | None = None,
    model: Mapping[str, Any] | None = None,
    revision: str | None = None,
) -> Runner:
    """Load a trained system, ready to predict.

    Args:
        path: a checkpoint directory, which never asks the network, or ``organization/name`` on the model hub.
        gpu_id: GPU to run on; None is the CPU.
        model: ``{"outputs": {...}}`` switches outputs off.
        revision: branch, tag or commit on the hub.

    Raises:
        CheckpointError: when there is no system, or it is damaged.
        ConfigError: when ``model`` asks for what the system was not trained for, or there is no such GPU.
    """
    path = locate(path, revision)
    outputs = _switched(path, model) if model else None
    if gpu_id is not None and not 0 <= gpu_id < torch.cuda.device_count():
        raise ConfigError(f"gpu_id: found {gpu_id}; this machine has {torch.cuda.device_count()} GPUs.")
    system = QESystem.load(path)
    if outputs is not None:
        system.restrict_outputs(outputs)
    return Runner(system, "cpu" if gpu_id is None else f"cuda:{gpu_id}")


def _switched(path: Path, model: Mapping[str, Any]) -> QEOutputs.Config:
    """The outputs of a trained system, some of them switched off; whatever else is given must be as it was trained."""
    if set(model) != {"outputs"}:
        raise ConfigError(f"system.model: found {', '.join(model)}; only 'outputs' can be changed for prediction.")
    info = read_checkpoint_info(path)
    trained: QEOutputs.Config = model_config_of(info, path, ARCHITECTURES).outputs
    given = dict(model["outputs"] or {})
    sentence = dict(given.get("sentence_level") or {})
    if sentence.get("hter") is False:
        given["sentence_level"] = sentence | {"use_distribution": False}
    outputs: QEOutputs.Config = model_config_of(info, path, ARCHITECTURES, {"outputs": given}).outputs
    if untrained := [name for name in outputs.names if name not in trained.names]:
        raise ConfigError(
            f"system.model.outputs: {path} was not trained for {', '.join(untrained)}; "
            f"it predicts {', '.join(trained.names)}."
        )
    word = outputs.word_level.model_copy(update={"class_weights": trained.word_level.class_weights})
    distribution = trained.sentence_level.use_distribution and outputs.sentence_level.hter
    level = outputs.sentence_level.model_copy(update={"use_distribution": distribution})
    switched = trained.model_copy(update={"word_level": word, "sentence_level": level})
    if switched != outputs:
        raise ConfigError(
            f"system.model.outputs: only outputs can be switched off for prediction; everything else is as {path} was "
            "trained. Remove the other options."
        )
    return outputs
