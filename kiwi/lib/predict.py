"""Predict with a trained system: ``kiwi predict``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeInt, model_validator

from kiwi import __version__
from kiwi.data.datasets.split import same_language
from kiwi.data.datasets.wmt_qe_dataset import TestConfig, WMTQEDataset
from kiwi.data.readers import check_segments
from kiwi.data.tables import check_table_format
from kiwi.exceptions import ConfigError
from kiwi.lib.labels import compare, read_labels
from kiwi.lib.outputs import SubmissionConfig, write_predictions_table, write_submissions
from kiwi.lib.predictions import ORIGIN_FILE
from kiwi.lib.utils import configure_logging, configure_seed, load_configuration
from kiwi.runner import Predictions, Runner, load_system
from kiwi.systems.base import BatchSizes
from kiwi.systems.hub import locate
from kiwi.systems.qe_system import QESystem
from kiwi.utils.io import BaseConfig, mistakes, write_json

__all__ = [
    "Configuration",
    "RunConfig",
    "load_system",
    "predict_from_configuration",
    "predict_from_file",
    "run",
]

logger = logging.getLogger(__name__)


class RunConfig(BaseConfig):
    """What to predict on, and where predictions go."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of all random generators; predictions of today's systems do not depend on it."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None
    """Write to ``runs/0/<run_id>/``; one of ``run_id`` and ``output_dir`` is required."""

    output_dir: Path | None = None
    """Directory that predictions are written to."""

    predict_on_data_partition: Literal["train", "valid", "test"] = "test"
    """Part of ``data`` to predict on. Where it has labels (``output``), predictions are compared with them."""

    output_format: Literal["plain", "tsv", "jsonl", "parquet"] = "plain"
    """``plain`` is a file for each output. Others write one table beside these, ``predictions.tsv``, ``.jsonl`` or
    ``.parquet`` (extra ``parquet``), with the texts and all outputs."""

    @model_validator(mode="after")
    def check_a_place(self) -> RunConfig:
        """Predictions go somewhere."""
        if self.run_id is None and self.output_dir is None:
            raise ValueError("one of run_id and output_dir is required")
        return self

    @property
    def directory(self) -> Path:
        """Where predictions go."""
        return self.output_dir or Path("runs", "0", self.run_id or "")


class Configuration(BaseConfig):
    """Options of ``kiwi predict``."""

    run: RunConfig
    """What to predict on, and where predictions go."""

    data: WMTQEDataset.Config
    """Files to predict on."""

    system: QESystem.Config
    """``load`` names the trained system; ``batch_size`` and ``num_data_workers`` apply; ``model.outputs`` may switch
    outputs off."""

    submission: SubmissionConfig | None = None
    """Write ``sentence_submission.tsv`` and ``word_submission.tsv`` too, as a shared task takes them."""

    use_gpu: bool = False
    """Predict on a GPU; without one, on the CPU, with a warning."""

    gpu_id: NonNegativeInt | None = None
    """Number of the GPU; unset, the first."""

    verbose: bool = False
    """Show debug messages."""

    quiet: bool = False
    """Show warnings and errors only; has precedence over ``verbose``."""

    @model_validator(mode="after")
    def check_what_prediction_needs(self) -> Configuration:
        """A trained system, data, and a GPU only if one is to be used; all that is wrong is reported together."""
        wrong: dict[str, str] = {}
        if self.system.load is None:
            wrong["system.load"] = "required: the trained system to predict with"
        if self.part is None:
            part = self.run.predict_on_data_partition
            wrong[f"data.{part}"] = f"required, because run.predict_on_data_partition is '{part}'"
        if wrong:
            raise mistakes("Configuration", wrong)
        return self

    @property
    def batch_size(self) -> int | None:
        """Segments computed at once, at most, where the configuration says so."""
        size = self.system.batch_size if "batch_size" in self.system.model_fields_set else None
        if isinstance(size, BatchSizes):
            return size.test if "test" in size.model_fields_set else None
        return size

    @property
    def part(self) -> TestConfig | None:
        """The files to predict on."""
        part = getattr(self.data, self.run.predict_on_data_partition)
        return part and TestConfig(input=part.input, output=part.output)


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

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
        CheckpointError: when the system cannot be loaded.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


def run(config: Configuration) -> Predictions:
    """Load the system, predict, write the predictions, and compare them with the labels that there are.

    Args:
        config: options.

    Returns:
        What was written.
    """
    assert config.part is not None, "checked by the configuration"
    assert config.system.load is not None, "checked by the configuration"
    configure_seed(config.run.seed)
    runner = _load(config)
    part = config.run.predict_on_data_partition
    missing = [field for field in runner.about.input_fields if getattr(config.part.input, field) is None]
    if missing:
        raise ConfigError(
            f"{config.system.load} ({runner.about.class_name}) reads files that the configuration does not give:\n"
            + "\n".join(f"  data.{part}.input.{field}: required" for field in missing)
        )
    _warn_of_other_languages(config, runner)
    check_table_format(f".{config.run.output_format}")
    outputs = runner.about.outputs
    levels = config.submission.levels_for(outputs, config.system.load) if config.submission else []
    dataset = WMTQEDataset.read(TestConfig(input=config.part.input))
    if config.submission is not None:
        check_segments(dataset.columns, dict(config.part.input))  # submissions have no place for empty ones
    labels = read_labels(config.part.output, outputs, dataset.columns, config.part.input.source)
    logger.info("Predicting %d segments with %s.", len(dataset), config.system.load)
    predictions = runner.predict_columns(
        dataset.columns,
        batch_size=config.batch_size,
        num_data_workers=config.system.num_data_workers,
    )
    written = predictions.save(config.run.directory)
    write_json(config.run.directory / ORIGIN_FILE, _origin(runner))
    on_demand: list[Path] = []
    if config.run.output_format != "plain":
        on_demand.append(
            write_predictions_table(config.run.directory, config.run.output_format, predictions, dataset.columns)
        )
    if config.submission is not None:
        header = config.submission.header(locate(config.system.load), runner.about.n_parameters)
        on_demand += write_submissions(
            config.run.directory, config.submission, levels, header, predictions, dataset.columns
        )
    for path in written + on_demand:
        logger.info("Wrote %s", path)
    for row in compare(predictions, labels, str(config.system.load)):
        figures = ", ".join(f"{name} {value:.4f}" for name, value in row.metrics.items())
        logger.info("%s of %d against data.%s.output: %s", row.output, row.n, part, figures)
    return predictions


def _origin(runner: Runner) -> dict[str, str]:
    """What predictions are made with, for the signatures of their figures."""
    about = runner.about
    return {"checkpoint": about.sha256, "system": about.class_name, "kiwi_version": __version__}


def _load(config: Configuration) -> Runner:
    gpu_id = (config.gpu_id or 0) if config.use_gpu else None
    if config.gpu_id is not None and not config.use_gpu:
        logger.warning("gpu_id is %d, but use_gpu is false: predicting on the CPU.", config.gpu_id)
    if gpu_id is not None and not torch.cuda.is_available():
        logger.warning("use_gpu is set, but no GPU is available: predicting on the CPU.")
        gpu_id = None
    runner = load_system(config.system.load or "", gpu_id=gpu_id, model=config.system.model)
    expected = config.system.class_name
    if expected not in (None, runner.about.class_name):
        raise ConfigError(
            f"system.class_name is '{expected}', but {config.system.load} is '{runner.about.class_name}'."
        )
    return runner


def _warn_of_other_languages(config: Configuration, runner: Runner) -> None:
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
