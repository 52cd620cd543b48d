"""Options of ``kiwi predict --engine ray``, for more segments than one machine can predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from kiwi import constants as const
from kiwi.data.segments.bad_rows import OnBad
from kiwi.data.segments.shard_writers import OutputFormat
from kiwi.data.segments.shards import Format
from kiwi.exceptions import ConfigError
from kiwi.utils.io import BaseConfig, mistakes
from kiwi.utils.written import PathText

ENGINES = ("local", "ray")

Name = Annotated[str, Field(min_length=1)]
Location = Annotated[PathText, Field(min_length=1)]


class BulkSystemConfig(BaseConfig):
    """The trained system."""

    load: Location
    """The checkpoint or exported system, at the same path on every machine of the cluster; or a name on the hub."""

    model: dict[str, Any] | None = None
    """A mapping whose ``outputs`` may switch outputs off, as in ``kiwi predict``."""


class ColumnsConfig(BaseConfig):
    """The names of the columns that hold the fields of the data."""

    source: Name = const.SOURCE
    """The column of source segments."""

    target: Name = const.TARGET
    """The column of translations."""

    alignments: Name = const.ALIGNMENTS
    """The column of alignments, as ``i-j`` pairs; for systems that read them."""

    source_pos: Name = const.SOURCE_POS
    """The column of part-of-speech tags of source words; for systems that read them."""

    target_pos: Name = const.TARGET_POS
    """The column of part-of-speech tags of target words; for systems that read them."""

    lp: Name = const.LANGUAGE_PAIR
    """The column of language pairs such as ``en-de``, if the shards have one; for the intervals of systems that are
    calibrated by language pair."""

    @model_validator(mode="after")
    def check_one_field_a_column(self) -> ColumnsConfig:
        """Check that no two fields have the same column."""
        names = list(self.model_dump().values())
        wrong = {field: f"found '{name}', as for another field" for field, name in self if names.count(name) > 1}
        if wrong:
            raise mistakes("ColumnsConfig", wrong)
        return self


class BulkConfig(BaseConfig):
    """The files to read and write, and the workers."""

    input: Location | Annotated[list[Location], Field(min_length=1)]
    """The shards, as a directory, a glob or a file, on a file system that all workers share, or any URL that fsspec
    supports; or a list of these. Text that ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` is decompressed."""

    format: Format | None = None
    """The format of the shards, ``parquet``, ``jsonl`` (one object per line), ``tsv`` (a header line, no quoting) or
    ``text`` (source, tab, target). If unset, the suffix of each shard decides (``.txt`` for text)."""

    columns: ColumnsConfig = ColumnsConfig()
    """The names of the columns that hold the fields of the data; with text shards, those of the output."""

    output: Location
    """The directory, or its URL, that results are written to, one file per shard, and bad rows below ``_rejects/``."""

    output_format: OutputFormat | None = None
    """The format of the results, ``parquet`` or ``jsonl``. If unset, Parquet for Parquet shards, otherwise JSON
    Lines."""

    workers: Annotated[int, Field(gt=0, le=100_000)] | None = None
    """The number of processes, each of which loads the system. If unset, as many as the cluster has room for."""

    cpus_per_worker: Annotated[float, Field(gt=0, le=1024)] = 1
    """The number of CPUs that each worker reserves; it computes with as many threads, rounded down, at least 1."""

    gpus_per_worker: NonNegativeFloat = 0
    """The number of GPUs that each worker reserves, at most 1; 0.5 puts two workers on a GPU, 0 computes on the CPU."""

    batch_tokens: PositiveInt | None = None
    """The maximum number of words (pieces, with a pretrained encoder) of source plus target in a batch, padding
    included. If unset, a number that suits the CPU or GPU."""

    on_bad_segment: OnBad = "nan"
    """What happens to a bad row, such as one with an empty translation. ``nan`` keeps its place in the results, without
    a score; ``skip`` leaves it out; ``stop`` gives up its shard. Rows of ``nan`` and ``skip`` are below ``_rejects/``
    with the reasons, and the exit code is 3 in the end."""

    align: bool = True
    """Whether kiwi aligns the words of segments by itself, if the system reads alignments and the first shard has no
    column of them."""

    aligner: Location | None = None
    """What aligns them: a directory that ``kiwi align --export`` has written, or the directory of an encoder, at the
    same path on every machine of the cluster; or its name on the hub. If unset, multilingual-e5-small, from the
    packages of the extra ``encoder``."""

    rows_at_once: PositiveInt = 8192
    """The number of rows of a shard that a worker holds in memory."""

    attempts: PositiveInt = 3
    """The number of workers that may die while they predict the same shard before it is given up."""

    address: Name | None = None
    """The address of the cluster that this machine belongs to, ``auto`` or ``host:6379``; if unset, this machine
    alone."""

    @model_validator(mode="after")
    def check_workers(self) -> BulkConfig:
        """Check that a worker uses at most one GPU, that the address is not one for Ray's client, and the aligner."""
        wrong: dict[str, str] = {}
        if self.gpus_per_worker > 1:
            wrong["gpus_per_worker"] = "at most 1: a worker computes on one GPU; raise bulk.workers to use more"
        if self.address and "://" in self.address:
            wrong["address"] = "found a URL; run the command on a machine of the cluster, with 'auto'"
        if self.aligner is not None and not self.align:
            wrong["aligner"] = "given, but align is false; remove one of the two"
        if wrong:
            raise mistakes("BulkConfig", wrong)
        return self

    @property
    def inputs(self) -> list[str]:
        """Return ``input`` as a list."""
        return [self.input] if isinstance(self.input, str) else self.input


class BulkConfiguration(BaseConfig):
    """Options of ``kiwi predict --engine ray``."""

    engine: Literal["ray"]
    """The engine that distributes the work."""

    system: BulkSystemConfig
    """The trained system."""

    bulk: BulkConfig
    """The files to read and write, and the workers."""

    verbose: bool = False
    """Whether to show debug messages, and the messages of Ray."""

    quiet: bool = False
    """Whether to show warnings and errors only; takes precedence over ``verbose``."""


def is_bulk(options: Mapping[str, Any]) -> bool:
    """Return whether options of ``kiwi predict`` are for an engine that distributes the work.

    Args:
        options: the options as given.

    Raises:
        ConfigError: when the engine is unknown, or options belong to another engine.
    """
    engine = options.get("engine", "local")
    if engine not in ENGINES:
        raise ConfigError(f"engine: found {engine!r}; expected one of {', '.join(ENGINES)}.")
    if engine == "local" and "bulk" in options:
        raise ConfigError(
            "bulk: given, but the engine is 'local', which has no such option. Remove it, or add --engine ray."
        )
    others = [key for key in ("run", "data", "submission", "use_gpu", "gpu_id") if key in options]
    if engine == "ray" and others:
        raise ConfigError(
            f"{', '.join(others)}: given, but the engine is 'ray', which has no such option. Use bulk.input, "
            "bulk.output and bulk.gpus_per_worker instead."
        )
    return bool(engine == "ray")
