"""Predict with a trained system: ``kiwi predict``."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from kiwi import __version__, constants as const
from kiwi.data.collate import note_long_segments
from kiwi.data.files.lines import Columns
from kiwi.data.files.parquet import check_table_format
from kiwi.data.segments.bad_rows import BadRows, writing_rejects
from kiwi.data.segments.streams import SegmentStream
from kiwi.data.text.language_pairs import PAIR
from kiwi.exceptions import ConfigError
from kiwi.lib.console.progress import Progress
from kiwi.lib.predict.config import Configuration
from kiwi.lib.predict.labels import compare
from kiwi.lib.predict.outputs import without_untrained
from kiwi.lib.predict.split import Split, read_split
from kiwi.lib.predict.submissions import ON_DEMAND, write_predictions_table, write_submissions
from kiwi.lib.utils import configure_logging, configure_seed, load_configuration
from kiwi.lib.utils.composition import configuration_files
from kiwi.runner import Predictions, PredictOptions, Runner
from kiwi.runner.engine import AboutSystem
from kiwi.runner.loading import open_runner
from kiwi.runner.prediction_files import prediction_files
from kiwi.runner.processes import RunnerPool
from kiwi.systems.pretrained.hub import locate
from kiwi.utils.guard import Guard, checksums, paths_in, record_written
from kiwi.utils.inputs import pipes_as_files
from kiwi.utils.io import write_json
from kiwi.utils.resumable import GrowingFiles

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictRunInfo:
    """The files that a prediction has written."""

    directory: Path
    """The directory of the predictions."""

    files: list[Path]
    """The files that were asked for."""

    n_segments: int
    """The number of segments of the data, bad ones included."""

    n_bad: int = 0
    """The number of bad segments, which have no score or are left out."""


def predict_from_file(filename: str | Path) -> Predictions:
    """Predict with the options of a configuration file.

    Args:
        filename: a YAML or JSON file.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when the data cannot be used; the message names file and line.
        CheckpointError: when the system cannot be loaded.
    """
    return predict_from_configuration(load_configuration(filename))


def predict_from_configuration(configuration_dict: Mapping[str, Any]) -> Predictions:
    """Predict with a mapping of options.

    Args:
        configuration_dict: the options of :class:`Configuration`.

    Returns:
        The predictions of all segments; :func:`predict_to_files` leaves them on disk.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when the data cannot be used; the message names file and line.
        CheckpointError: when the system cannot be loaded.
    """
    return Predictions.read(predict_to_files(configuration_dict).directory)


def predict_to_files(configuration_dict: Mapping[str, Any]) -> PredictRunInfo:
    """Predict with a mapping of options, in memory that does not grow with the number of segments.

    Only comparisons with labels and submissions hold all segments in memory.

    Args:
        configuration_dict: the options of :class:`Configuration`.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


@pipes_as_files()
def run(config: Configuration) -> PredictRunInfo:
    """Predict chunk by chunk, write the predictions, and compare them with the labels if there are any.

    A prediction that was killed is resumed, if the system, its outputs and the segments so far are the same.

    Args:
        config: options.
    """
    configure_seed(config.run.seed)
    check_table_format(f".{config.run.output_format}")
    with closing(_load(config)) as runner:
        return _run(config, runner)


def _run(config: Configuration, runner: Runner | RunnerPool) -> PredictRunInfo:
    about, directory, rejects = runner.about, config.run.directory, config.run.rejects
    names = list(about.no_predictions().lines())
    possible = (*prediction_files(), const.LANGUAGE_PAIR, *ON_DEMAND, const.ORIGIN_FILE)
    reads = [
        *paths_in(config.split),
        *paths_in(config.submission),
        locate(str(config.system.load)),
        *configuration_files(),
        *PredictOptions(aligner=config.run.aligner).paths,
    ]
    guard = Guard(reads, config.run.overwrite, "run.overwrite=true")
    guard.check([directory / name for name in dict.fromkeys((*names, *possible))] + ([rejects] if rejects else []))
    origin = _origin(about)
    if config.must_align(about.input_fields):
        origin["aligner"] = runner.prepare_aligner()
    bad = BadRows(config.run.on_bad_segment, option="run.on_bad_segment")
    with writing_rejects(rejects, bad):
        split = read_split(config, runner, bad)
    if rejects is not None:
        record_written(rejects)
    logger.info("Predicting %d segments with %s.", split.n_segments, config.system.load)
    if const.SENTENCE_SCORES in about.outputs and about.data.score is not None:
        logger.info("Sentence scores: %s.", about.data.score)
    names += [const.LANGUAGE_PAIR] if const.LANGUAGE_PAIR in split.stream.files else []
    growing = GrowingFiles(directory, names, origin | {"on_bad_segment": bad.on_bad})
    with growing.opened():
        _predict(runner, split, growing)
        surplus = [name for name in possible[:-1] if name not in names and (directory / name).exists()]
        written = growing.finish(stale=possible)
        _write_origin(origin, written)
        written += _write_on_demand(config, about, split)
        _write_origin(origin, written)
        growing.forget()  # nothing that could fail from here on would need it to resume
    for path in written:
        logger.info("Wrote %s", path)
    if gone := [name for name in surplus if directory / name not in written]:
        logger.info("Removed files of an earlier prediction from %s: %s", directory, ", ".join(gone))
    if bad:
        advice = "run.rejects=FILE lists all, with the reasons."
        logger.warning("%s", bad.summary(split.n_segments, rejects, advice))
    return PredictRunInfo(directory, written, split.n_segments, len(bad))


def _write_origin(origin: Mapping[str, str], written: Sequence[Path]) -> None:
    """Record what made the predictions, and the checksums of their files, over which the next prediction may write."""
    write_json(written[0].with_name(const.ORIGIN_FILE), {**origin, "files": checksums(written)})


def _write_on_demand(config: Configuration, about: AboutSystem, split: Split) -> list[Path]:
    """Write the table and the submissions if they are asked for, and log the metrics if there are labels."""
    directory, system = config.run.directory, str(config.system.load)
    written: list[Path] = []
    if config.run.output_format != "plain":
        written.append(write_predictions_table(directory, config.run.output_format, split.predicted))
    if config.submission is None and not split.labels:
        return written
    predictions = Predictions.read(directory)
    if config.submission is not None:
        header = config.submission.header(locate(system), about.n_parameters)
        written += write_submissions(directory, config.submission, split.levels, header, predictions, split.texts)
    for row in compare(predictions, split.labels, system, split.texts.get(const.LANGUAGE_PAIR)):
        metrics = ", ".join(f"{metric} {value:.4f}" for metric, value in row.metrics.items())
        name = config.run.predict_on_data_partition
        logger.info("%s of %d against data.%s.output: %s", row.output, row.n, name, metrics)
    if const.ERROR_SPANS in split.labels:
        logger.info("Error spans are compared by kiwi evaluate, with predicted_dir and gold_files.spans.")
    return written


def _predict(runner: Runner | RunnerPool, split: Split, growing: GrowingFiles) -> None:
    """Predict the segments that have no predictions yet, and write them chunk by chunk."""
    chunks, digest = _skip_predicted(split.stream, growing)
    # The digest up to the end of each chunk that is being predicted, its rows, and its lines beside the predictions.
    ahead: deque[tuple[str, int, Columns]] = deque()

    def screened() -> Iterator[Columns]:
        first = growing.n_rows + 1
        for chunk in chunks:
            _update(digest, chunk)
            n_rows = len(chunk[const.SOURCE])
            chosen = split.stream.bad.apply(chunk, first)
            written = chosen if split.stream.bad.on_bad == "skip" else chunk
            ahead.append((digest.hexdigest(), n_rows, _lines_beside(written)))
            yield chosen
            first += n_rows

    with Progress("Predicting", split.n_segments, growing.n_rows) as progress:
        counts: list[tuple[int, int]] = []
        if isinstance(runner, Runner):
            runner.on_computed = progress.advance_within_chunk
        for chunk in runner.predict_chunks(screened()):
            digest_so_far, n_rows, beside = ahead.popleft()
            growing.n_skipped += n_rows - len(chunk.predictions)
            growing.add(chunk.predictions.lines() | beside, digest_so_far)
            progress.advance(n_rows)
            counts.append((chunk.n_long, chunk.n_cut))
    note_long_segments(counts)


def _lines_beside(chunk: Columns) -> Columns:
    """Return the language pairs of a chunk, if it has any, as they are written; a bad one is blank."""
    found = chunk.get(const.LANGUAGE_PAIR)
    if found is None:
        return {}
    return {const.LANGUAGE_PAIR: [pair if PAIR.fullmatch(pair) else "" for pair in found]}


def _skip_predicted(stream: SegmentStream, growing: GrowingFiles) -> tuple[Iterator[Columns], hashlib._Hash]:
    """Return the segments without predictions, and the digest of those before them.

    If the predicted segments have changed, all predictions are discarded, and all segments are returned.
    """
    chunks, digest, n_left = iter(stream), hashlib.sha256(), growing.n_rows
    while n_left and (chunk := next(chunks, None)) is not None:
        head, tail = (
            {field: column[part] for field, column in chunk.items()} for part in (slice(n_left), slice(n_left, None))
        )
        _update(digest, head)
        n_left -= len(head[const.SOURCE])
        chunks = chain([tail], chunks) if tail[const.SOURCE] else chunks
    if growing.n_rows and (n_left or digest.hexdigest() != growing.digest):
        logger.info("Some of the %d predicted segments have changed; predicting all segments again.", growing.n_rows)
        growing.restart()
        return iter(stream), hashlib.sha256()
    if growing.n_rows:
        logger.info("Resuming after the first %d segments, which are already predicted.", growing.n_rows)
    return chunks, digest


def _update(digest: hashlib._Hash, columns: Columns) -> None:
    for row in zip(*columns.values(), strict=True):
        digest.update("\t".join(row).encode() + b"\n")


def _origin(about: AboutSystem) -> dict[str, str]:
    """Return a description of what made the predictions, for the signatures of their metrics."""
    origin = {"checkpoint": about.sha256, "system": about.class_name, "kiwi_version": __version__}
    # These are recorded only if the values may differ slightly from those of the checkpoint in 32 bits.
    others = {"precision": about.precision, "export": about.export_sha256}
    return origin | {name: value for name, value in others.items() if value not in ("32", "")}


def _load(config: Configuration) -> Runner | RunnerPool:
    first, place = _first_gpu(config), str(config.system.load)
    falls_back = config.use_gpu and first is None and config.precision != "32"
    options = replace(config.options, model=without_untrained(config.options.model, locate(place)))
    if falls_back:
        options = replace(options, precision="auto")
    runner: Runner | RunnerPool
    if config.processes == 1:
        runner = open_runner(place, replace(options, gpu_id=first))
    else:
        gpus = [None if first is None else first + index for index in range(config.processes)]
        runner = RunnerPool(place, gpus, options)
    expected = config.system.class_name
    if expected not in (None, runner.about.class_name):
        runner.close()
        raise ConfigError(f"system.class_name: found '{expected}', but {place} is '{runner.about.class_name}'.")
    return runner


def _first_gpu(config: Configuration) -> int | None:
    """Return the first GPU to predict on, or None for the CPU."""
    if config.gpu_id is not None and not config.use_gpu:
        logger.warning("gpu_id is %d, but use_gpu is false: predicting on the CPU.", config.gpu_id)
    if not config.use_gpu:
        return None
    import torch

    if torch.cuda.is_available():
        return config.gpu_id or 0
    logger.warning(
        "use_gpu is set, but no GPU is available: predicting on the CPU, in 16 bits only where it computes them "
        "natively."
    )
    return None
