"""The options of ``kiwi predict``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from kiwi import constants as const
from kiwi.data.datasets.parts import TestConfig
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.segments.bad_rows import OnBad
from kiwi.lib.predict.submissions import SubmissionConfig
from kiwi.runner.options import MAX_THREADS, Precision, PredictOptions
from kiwi.systems.config.optimizer import BatchSizes
from kiwi.systems.qe_system import QESystem
from kiwi.utils.io import BaseConfig, Workers, mistakes
from kiwi.utils.process.threads import number_of_threads
from kiwi.utils.written import PathText


class RunConfig(BaseConfig):
    """The data to predict on, and the directory of the predictions."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """The seed of all random generators; predictions of the built-in systems do not depend on it."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None
    """The id of the run, which writes to ``runs/0/<run_id>/``; one of ``run_id`` and ``output_dir`` is required."""

    output_dir: Path | None = None
    """The directory that predictions are written to; takes precedence over ``run_id``."""

    predict_on_data_partition: Literal["train", "valid", "test"] = "test"
    """The split of ``data`` to predict on. If it has labels (``output``), predictions are compared with them."""

    output_format: Literal["plain", "tsv", "jsonl", "parquet"] = "plain"
    """The format of the predictions. ``plain`` writes one file per output; the others also write a table with the
    texts and all outputs, ``predictions.tsv``, ``.jsonl`` or ``.parquet`` (extra ``parquet``)."""

    batch_tokens: PositiveInt | None = None
    """The maximum number of words (pieces, with a pretrained encoder) of source plus target in a batch, padding
    included. If unset, a number that suits the engine. ``system.batch_size``, if given, also limits the segments."""

    chunk_size: PositiveInt = 4096
    """The number of segments that are read, predicted (longest first) and written together. Memory grows with it, and
    so does the work that is lost when a prediction is killed and resumed."""

    deduplicate: bool = True
    """Whether to predict identical segments of a chunk only once."""

    on_bad_segment: OnBad = "nan"
    """What happens to a segment that cannot be used, such as one with an empty translation. ``nan`` keeps its place
    without a score; ``skip`` leaves it out; both say how many there are, and the exit code is 3 in the end. ``stop``
    writes nothing."""

    rejects: Path | None = None
    """A file of JSON Lines for all bad segments, with ``file``, ``line``, ``reason`` and ``row``."""

    align: bool = True
    """Whether kiwi aligns the words of segments by itself, if the system reads alignments and ``data`` names no file of
    them."""

    aligner: Annotated[PathText, Field(min_length=1)] | None = None
    """What aligns them: a directory that ``kiwi align --export`` has written, which needs no torch, the directory of an
    encoder, or its name on the hub. If unset, multilingual-e5-small, from the packages of the extra ``encoder``."""

    overwrite: bool = False
    """Whether to replace or remove files in the directory that kiwi has not written, where predictions have the same
    names. Files that are read are never overwritten."""

    @model_validator(mode="after")
    def check_rejects(self) -> RunConfig:
        """Check that there can be bad segments to write."""
        if self.rejects is not None and self.on_bad_segment == "stop":
            raise ValueError("rejects needs on_bad_segment: nan or skip, because stop writes nothing")
        return self

    @model_validator(mode="after")
    def check_aligner(self) -> RunConfig:
        """Check that an aligner is used."""
        if self.aligner is not None and not self.align:
            raise ValueError("found an aligner, but align is false; remove one of the two")
        return self

    @model_validator(mode="after")
    def check_directory(self) -> RunConfig:
        """Check that there is a directory for the predictions."""
        if self.run_id is None and self.output_dir is None:
            raise ValueError("one of run_id and output_dir is required")
        return self

    @property
    def directory(self) -> Path:
        """Return the directory of the predictions."""
        return self.output_dir or Path("runs", "0", self.run_id or "")


class Configuration(BaseConfig):
    """Options of ``kiwi predict``."""

    engine: Literal["local"] = "local"
    """The engine that distributes the work. ``local`` is this machine; ``ray`` has :doc:`its own options
    </reference/bulk>`."""

    run: RunConfig
    """The data to predict on, and the directory of the predictions."""

    data: WMTQEDataset.Config
    """The files to predict on."""

    system: QESystem.Config
    """The trained system (``load``). ``batch_size`` and ``num_data_workers`` apply, and ``model.outputs`` may switch
    outputs off."""

    submission: SubmissionConfig | None = None
    """The submissions to a shared task, ``sentence_submission.tsv``, ``word_submission.tsv`` and
    ``span_submission.tsv``; none if unset."""

    use_gpu: bool = False
    """Whether to predict on a GPU; without one, kiwi warns and predicts on the CPU, where a ``precision`` of 16
    bits becomes ``auto``."""

    gpu_id: NonNegativeInt | None = None
    """The number of the GPU; if unset, the first (0)."""

    processes: Workers = 1
    """The number of processes, each of which loads the system. With ``use_gpu``, each has its own GPU, starting with
    ``gpu_id``."""

    threads: Workers | None = None
    """The number of CPU threads of each process. If unset, ``OMP_NUM_THREADS``, or the available cores, divided by the
    number of processes."""

    precision: Precision = "32"
    """The precision of the computation. ``bf16``, or ``16`` on a GPU, is faster where the device multiplies it
    natively; probabilities differ by about 0.01. ``auto`` is the fastest that it does."""

    verbose: bool = False
    """Whether to show debug messages."""

    quiet: bool = False
    """Whether to show warnings and errors only; takes precedence over ``verbose``."""

    @model_validator(mode="after")
    def check_requirements(self) -> Configuration:
        """Check system, data and precision, and report all mistakes together."""
        wrong: dict[str, str] = {}
        if self.system.load is None:
            wrong["system.load"] = "required: the trained system to predict with"
        if self.split is None:
            part = self.run.predict_on_data_partition
            wrong[f"data.{part}"] = f"required, because run.predict_on_data_partition is '{part}'"
        if self.split is not None and self.split.span_table is not None:
            place = f"data.{self.run.predict_on_data_partition}.input.source"
            wrong[place] = "found a table of error spans, which is read for training only; run `kiwi score FILE` on it"
        if self.submission is not None and self.split is not None:
            has_pairs, option = self.split.input.lp is not None, "submission.language_pair"
            if has_pairs and self.submission.language_pair is not None:
                place = f"data.{self.run.predict_on_data_partition}.input.lp"
                wrong[option] = f"given, but {place} has the language pair of each segment; remove one of them"
            if not has_pairs and self.submission.language_pair is None and self.submission.release is None:
                wrong[option] = "required, unless lp of the data has the language pair of each segment"
        if self.run.aligner is not None and self.split is not None and self.split.input.alignments is not None:
            part = self.run.predict_on_data_partition
            wrong["run.aligner"] = f"given, but so is data.{part}.input.alignments; remove one of the two"
        if self.precision == "16" and not self.use_gpu:
            wrong["precision"] = "16 needs use_gpu; auto, bf16 and 32 do not"
        if wrong:
            raise mistakes("Configuration", wrong)
        return self

    @field_validator("precision", mode="before")
    @classmethod
    def convert_numbers(cls, value: object) -> object:
        """Convert 16 and 32 to strings, as YAML reads them as numbers."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def options(self) -> PredictOptions:
        """Return the options with which each process loads the system, except the GPU, and predicts."""
        return PredictOptions(
            model=self.system.model,
            threads=self.threads or min(MAX_THREADS, max(1, number_of_threads() // self.processes)),
            precision=self.precision,
            batch_size=self.batch_size,
            batch_tokens=self.run.batch_tokens,
            num_data_workers=self.system.num_data_workers,
            deduplicate=self.run.deduplicate,
            align=self.run.align,
            aligner=self.run.aligner,
        )

    @property
    def batch_size(self) -> int | None:
        """Return the maximum number of segments in a batch, or None if it is not configured."""
        size = self.system.batch_size if "batch_size" in self.system.model_fields_set else None
        if isinstance(size, BatchSizes):
            return size.test if "test" in size.model_fields_set else None
        return size

    @property
    def split(self) -> TestConfig | None:
        """Return the files to predict on, or None if they are not configured."""
        split = getattr(self.data, self.run.predict_on_data_partition)
        return split and TestConfig(input=split.input, output=split.output)

    def must_align(self, fields: Collection[str]) -> bool:
        """Return whether kiwi aligns words for a system that reads these fields."""
        given = self.split is not None and self.split.input.alignments is not None
        return self.run.align and const.ALIGNMENTS in fields and not given
