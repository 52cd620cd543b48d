"""Predict with a trained system: ``kiwi predict``."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from kiwi import __version__, constants as const
from kiwi.data.collate import note_long_segments
from kiwi.data.datasets.split import same_language
from kiwi.data.files.lines import Columns
from kiwi.data.files.tables import check_table_format
from kiwi.data.readers import check_segments, read_columns
from kiwi.data.segments.streams import SegmentStream
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.console.progress import Progress
from kiwi.lib.predict.config import Configuration
from kiwi.lib.predict.labels import compare, read_labels
from kiwi.lib.predict.submissions import ON_DEMAND, write_predictions_table, write_submissions
from kiwi.lib.utils import configure_logging, configure_seed, load_configuration
from kiwi.runner import Predictions, Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.predictions import ORIGIN_FILE, prediction_files
from kiwi.runner.processes import RunnerPool
from kiwi.systems.pretrained.hub import locate
from kiwi.utils.io import write_json
from kiwi.utils.resumable import GrowingFiles

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictRunInfo:
    """What a prediction has written."""

    directory: Path
    """Of its files."""

    files: list[Path]
    """Those that were asked for."""

    n_segments: int
    """That there are predictions of."""


def predict_from_file(filename: str | Path) -> Predictions:
    """Predict as a configuration file says.

    Args:
        filename: YAML or JSON.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
        CheckpointError: when the system cannot be loaded.
    """
    return predict_from_configuration(load_configuration(filename))


def predict_from_configuration(configuration_dict: Mapping[str, Any]) -> Predictions:
    """Predict as a mapping of options says.

    Args:
        configuration_dict: options of :class:`Configuration`.

    Returns:
        What the files have, all of it at once; :func:`predict_to_files` leaves it on the disk.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
        CheckpointError: when the system cannot be loaded.
    """
    return Predictions.read(predict_to_files(configuration_dict).directory)


def predict_to_files(configuration_dict: Mapping[str, Any]) -> PredictRunInfo:
    """As :func:`predict_from_configuration`, in memory that does not grow with the number of segments.

    Comparing with labels, and submissions, need all of them at once.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


def run(config: Configuration) -> PredictRunInfo:
    """Load the system, predict and write by turns, and compare the predictions with the labels that there are.

    A prediction that was killed goes on where it stopped, if the system, its outputs and the segments so far are the
    same.

    Args:
        config: options.
    """
    assert config.part is not None, "checked by the configuration"
    configure_seed(config.run.seed)
    check_table_format(f".{config.run.output_format}")
    with closing(_load(config)) as runner:
        return _run(config, runner)


def _run(config: Configuration, runner: Runner | RunnerPool) -> PredictRunInfo:
    part, name, about = config.part, config.run.predict_on_data_partition, runner.about
    assert part is not None
    if missing := [field for field in about.input_fields if getattr(part.input, field) is None]:
        raise ConfigError(
            f"{config.system.load} ({about.class_name}) reads files that the configuration does not give:\n"
            + "\n".join(f"  data.{name}.input.{field}: required" for field in missing)
        )
    _warn_of_other_languages(config, runner)
    levels = config.submission.levels_for(about.outputs, str(config.system.load)) if config.submission else []
    files = {field: path for field, path in part.input if path is not None}
    stream = SegmentStream(files, config.run.chunk_size)
    n_segments = _checked(stream, config.run.output_format)
    texts, labels = {}, {}
    if config.submission is not None or any(path is not None for _, path in part.output):
        texts = read_columns(files)
        if config.submission is not None:
            check_segments(texts, files)  # submissions have no place for empty ones
        labels = read_labels(part.output, about.outputs, texts, part.input.source)
    logger.info("Predicting %d segments with %s.", n_segments, config.system.load)
    directory = config.run.directory
    growing = GrowingFiles(directory, Predictions.file_names(about.outputs, about.use_distribution), _origin(runner))
    with growing.opened():
        _predict(runner, stream, growing, n_segments)
        written = growing.finish(stale=(*prediction_files(), *ON_DEMAND, ORIGIN_FILE))
        write_json(directory / ORIGIN_FILE, _origin(runner))
        if config.run.output_format != "plain":
            written.append(write_predictions_table(directory, config.run.output_format, stream))
        if config.submission is not None or labels:
            predictions = Predictions.read(directory)
            if config.submission is not None:
                header = config.submission.header(locate(str(config.system.load)), about.n_parameters)
                written += write_submissions(directory, config.submission, levels, header, predictions, texts)
            for row in compare(predictions, labels, str(config.system.load)):
                figures = ", ".join(f"{figure} {value:.4f}" for figure, value in row.metrics.items())
                logger.info("%s of %d against data.%s.output: %s", row.output, row.n, name, figures)
        growing.forget()  # now that nothing can fail any more which would need it
    for path in written:
        logger.info("Wrote %s", path)
    return PredictRunInfo(directory, written, n_segments)


def _checked(stream: SegmentStream, output_format: str) -> int:
    """Read everything once: the number of segments.

    Raises:
        DataError: naming file and line.
    """
    n_segments = 0
    for columns in stream.checked():
        for field in (const.SOURCE, const.TARGET) if output_format == "tsv" else ():
            for number, line in enumerate(columns[field], start=n_segments + 1):
                if "\t" in line:
                    raise DataError.at(
                        stream.files[field],
                        number,
                        found="a tab",
                        expected="none in a table of TSV",
                        advice="Set run.output_format to jsonl or parquet.",
                    )
        n_segments += len(columns[const.SOURCE])
    return n_segments


def _predict(runner: Runner | RunnerPool, stream: SegmentStream, growing: GrowingFiles, n_segments: int) -> None:
    """Predict what there is no prediction of yet, and write it part by part."""
    chunks, sums = _unpredicted(stream, growing)
    digests: deque[str] = deque()  # of all segments up to the end of each part that is being predicted

    def watched() -> Iterator[Columns]:
        for chunk in chunks:
            _add(sums, chunk)
            digests.append(sums.hexdigest())
            yield chunk

    with Progress("Predicting", n_segments, growing.n_lines) as progress:
        counts: list[tuple[int, int]] = []
        for part in runner.predict_chunks(watched()):
            growing.add(part.predictions.lines(), digests.popleft())
            progress.advance(len(part.predictions))
            counts.append((part.n_long, part.n_cut))
    note_long_segments(counts)


def _unpredicted(stream: SegmentStream, growing: GrowingFiles) -> tuple[Iterator[Columns], hashlib._Hash]:
    """The segments that there is no prediction of, and the sum of those before them, if these are still the same."""
    chunks, sums, n_left = iter(stream), hashlib.sha256(), growing.n_lines
    while n_left and (chunk := next(chunks, None)) is not None:
        head, tail = (
            {field: column[part] for field, column in chunk.items()} for part in (slice(n_left), slice(n_left, None))
        )
        _add(sums, head)
        n_left -= len(head[const.SOURCE])
        chunks = chain([tail], chunks) if tail[const.SOURCE] else chunks
    if growing.n_lines and (n_left or sums.hexdigest() != growing.digest):
        logger.info("Of %d predicted segments, some are others now: predicting all of them.", growing.n_lines)
        growing.restart()
        return iter(stream), hashlib.sha256()
    if growing.n_lines:
        logger.info("Going on behind the first %d segments, which are predicted already.", growing.n_lines)
    return chunks, sums


def _add(sums: hashlib._Hash, columns: Columns) -> None:
    for row in zip(*columns.values(), strict=True):
        sums.update("\t".join(row).encode() + b"\n")


def _origin(runner: Runner | RunnerPool) -> dict[str, str]:
    """What predictions are made with, for the signatures of their figures."""
    about = runner.about
    origin = {"checkpoint": about.sha256, "system": about.class_name, "kiwi_version": __version__}
    # What computes the same another way, and a little less exactly.
    others = {"precision": about.precision, "export": about.export_sha256}
    return origin | {name: value for name, value in others.items() if value not in ("32", "")}


def _load(config: Configuration) -> Runner | RunnerPool:
    first, place = _gpu(config), str(config.system.load)
    runner: Runner | RunnerPool
    if config.processes == 1:
        runner = open_runner(place, replace(config.options, gpu_id=first))
    else:
        gpus = [None if first is None else first + index for index in range(config.processes)]
        runner = RunnerPool(place, gpus, config.options)
    expected = config.system.class_name
    if expected not in (None, runner.about.class_name):
        runner.close()
        raise ConfigError(f"system.class_name is '{expected}', but {place} is '{runner.about.class_name}'.")
    return runner


def _gpu(config: Configuration) -> int | None:
    """The first GPU to predict on; None is the CPU."""
    if config.gpu_id is not None and not config.use_gpu:
        logger.warning("gpu_id is %d, but use_gpu is false: predicting on the CPU.", config.gpu_id)
    if not config.use_gpu:
        return None
    import torch

    if torch.cuda.is_available():
        return config.gpu_id or 0
    if config.precision == "16":
        raise ConfigError("precision: 16 needs a GPU, and none is available; set bf16 or 32.")
    logger.warning("use_gpu is set, but no GPU is available: predicting on the CPU.")
    return None


def _warn_of_other_languages(config: Configuration, runner: Runner | RunnerPool) -> None:
    for side, given, known in zip(
        ("source", "target"), config.data.languages, runner.about.data.languages, strict=True
    ):
        if known and (others := [tag for tag in given if not any(same_language(tag, own) for own in known)]):
            logger.warning(
                "data.%s_language is %s, but %s was trained on %s: its estimates may mean little.",
                side,
                ", ".join(others),
                config.system.load,
                ", ".join(known),
            )
