"""The options of ``kiwi predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from kiwi.data.datasets.wmt_qe_dataset import TestConfig, WMTQEDataset
from kiwi.lib.predict.submissions import SubmissionConfig
from kiwi.runner.options import Precision, PredictOptions
from kiwi.systems.config.optimizer import BatchSizes
from kiwi.systems.qe_system import QESystem
from kiwi.utils.io import BaseConfig, mistakes
from kiwi.utils.threads import number_of_threads


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

    batch_tokens: PositiveInt | None = None
    """Words, or pieces of a pretrained encoder, of source plus target that are computed at once, padding included;
    unset, what suits the engine. ``system.batch_size``, where it is given, bounds the segments of a batch too."""

    chunk_size: PositiveInt = 4096
    """Segments that are read, computed longest first, and written together. Memory grows with them, and what has to be
    computed again when a prediction that was killed goes on."""

    deduplicate: bool = True
    """Compute equal segments (of a chunk) once."""

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

    engine: Literal["local"] = "local"
    """Who computes: this machine; ``ray`` has :doc:`options of its own </reference/bulk>`."""

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

    processes: PositiveInt = 1
    """Processes that predict, each with a system of its own: with ``use_gpu``, one a GPU, from ``gpu_id`` on."""

    threads: PositiveInt | None = None
    """Of the CPU, in each process; unset, ``OMP_NUM_THREADS``, or the cores that kiwi may use, shared out among the
    processes."""

    precision: Precision = "32"
    """Of the computation: ``bf16`` or ``16`` (on a GPU) is faster, and differs by about 0.01 of a probability."""

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
        if self.precision == "16" and not self.use_gpu:
            wrong["precision"] = "16 needs use_gpu; bf16 and 32 do not"
        if wrong:
            raise mistakes("Configuration", wrong)
        return self

    @field_validator("precision", mode="before")
    @classmethod
    def take_numbers(cls, value: object) -> object:
        """YAML reads 16 and 32 as numbers."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def options(self) -> PredictOptions:
        """How each process loads the system, but for its GPU, and how it predicts."""
        return PredictOptions(
            model=self.system.model,
            threads=self.threads or max(1, number_of_threads() // self.processes),
            precision=self.precision,
            batch_size=self.batch_size,
            batch_tokens=self.run.batch_tokens,
            num_data_workers=self.system.num_data_workers,
            deduplicate=self.run.deduplicate,
        )

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
