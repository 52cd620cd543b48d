"""The predictions of the best model after training, in the layout of OpenKiwi."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from kiwi import constants as const
from kiwi.data.datasets.parts import TestConfig
from kiwi.data.files.lines import Columns
from kiwi.data.segments.bad_rows import BadRows
from kiwi.data.segments.streams import SegmentStream
from kiwi.exceptions import ConfigError
from kiwi.runner import PredictOptions, Runner, load_system
from kiwi.runner.auto_aligner import AutoAligner
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import write_lines

logger = logging.getLogger("kiwi.lib.train")

CHUNK_SIZE = 4096


def check_test_data(test: TestConfig, fields: Collection[str], class_name: str) -> None:
    """Check, before training, that the files of the test data are there, and have as many lines as each other.

    Words are aligned after training if there is no file of alignments; that this is possible is checked too.

    Args:
        test: the files of the test data.
        fields: the fields that the system reads.
        class_name: the class of the system.

    Raises:
        ConfigError: when there is no file for a field.
        DataError: when a file cannot be read, or the files have different lengths.
        MissingExtraError: when words are to be aligned, and the encoder is not installed.
    """
    files = _files(test, fields)
    missing = [field for field in fields if field not in files]
    if missing == [const.ALIGNMENTS]:
        AutoAligner(class_name, PredictOptions()).load()
    elif missing:
        lacking = "".join(f"\n  data.test.input.{field}: required" for field in missing)
        raise ConfigError(f"run.predict_after_training predicts on data.test, which lacks files:{lacking}")
    for _ in SegmentStream(files, CHUNK_SIZE, BadRows()):
        pass


def _files(test: TestConfig, fields: Collection[str]) -> dict[str, Path]:
    wanted = (*fields, const.LANGUAGE_PAIR)
    return {field: path for field, path in test.input if path is not None and field in wanted}


def predict_after_training(
    model: Path, output_dir: Path, valid: Columns, test: TestConfig | None, *, gpu_id: int | None, overwrite: bool
) -> None:
    """Predict the validation data into the directory of a run, and the test data into its directory ``test``.

    Args:
        model: the best model.
        output_dir: the directory of the run.
        valid: the validation data.
        test: the files of the test data, if any; bad segments have no score.
        gpu_id: the number of the GPU; None is the CPU.
        overwrite: whether to replace files that kiwi has not written.
    """
    runner = load_system(model, gpu_id=gpu_id)
    fields = runner.about.input_fields
    _predict(runner, valid, output_dir, overwrite=overwrite)
    logger.info("Predictions on the validation data: %s", output_dir)
    if test is None:
        return
    bad = BadRows()
    stream = SegmentStream(_files(test, fields), CHUNK_SIZE, bad)
    columns = stream.joined(screened for _, screened in stream.checked())
    _predict(runner, columns, output_dir / "test", overwrite=overwrite)
    logger.info("Predictions on the test data: %s", output_dir / "test")
    if bad:
        logger.warning(bad.summary(len(columns["target"])))


def _predict(runner: Runner, columns: Columns, directory: Path, *, overwrite: bool) -> None:
    """Write the predictions and, where they are known, the language pairs of the segments."""
    fields = {field: columns[field] for field in runner.about.input_fields if field in columns}
    pairs = directory / const.LANGUAGE_PAIR
    Guard((), overwrite, "run.overwrite=true").check([pairs])
    runner.predict_columns(fields).save(directory, overwrite=overwrite)
    if const.LANGUAGE_PAIR in columns:
        write_lines(pairs, columns[const.LANGUAGE_PAIR])
        record_written(pairs)
    else:
        pairs.unlink(missing_ok=True)
