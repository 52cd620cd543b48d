"""Options of ``kiwi predict`` with an engine, for more segments than one machine or one evening has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from kiwi import constants as const
from kiwi.data.segments.shard_writers import OutputFormat
from kiwi.data.segments.shards import Format
from kiwi.exceptions import ConfigError
from kiwi.utils.io import BaseConfig, mistakes

ENGINES = ("local", "ray")

Name = Annotated[str, Field(min_length=1)]


class BulkSystemConfig(BaseConfig):
    """The trained system."""

    load: Name
    """Checkpoint or exported system, which every machine of the cluster has at this path; or a name on the hub."""

    model: dict[str, Any] | None = None
    """``outputs`` may switch outputs off, as in ``kiwi predict``."""


class ColumnsConfig(BaseConfig):
    """Names of the columns with the fields of the data."""

    source: Name = const.SOURCE
    """Segments."""

    target: Name = const.TARGET
    """Their translations."""

    alignments: Name = const.ALIGNMENTS
    """``i-j`` pairs; for systems that read them."""

    source_pos: Name = const.SOURCE_POS
    """Part-of-speech tags; for systems that read them."""

    target_pos: Name = const.TARGET_POS
    """Part-of-speech tags; for systems that read them."""

    @model_validator(mode="after")
    def check_one_field_a_column(self) -> ColumnsConfig:
        """Two fields do not share a column."""
        names = list(self.model_dump().values())
        wrong = {field: f"found '{name}', as another field" for field, name in self if names.count(name) > 1}
        if wrong:
            raise mistakes("ColumnsConfig", wrong)
        return self


class BulkConfig(BaseConfig):
    """What to read and write, and who computes."""

    input: Name | Annotated[list[Name], Field(min_length=1)]
    """Shards: a directory, a glob or a file, on a file system that every worker sees, or any URL that fsspec takes;
    or a list of these. ``.gz``, ``.bz2``, ``.xz`` and ``.zst`` of text are decompressed."""

    format: Format | None = None
    """``parquet``, ``jsonl`` (an object a line), ``tsv`` (a first line of names, no quoting) or ``text`` (source, tab,
    target); unset, what the suffix of each shard says (``.txt`` for text)."""

    columns: ColumnsConfig = ColumnsConfig()
    """Names of the columns with the fields of the data; of text shards those in the output."""

    output: Name
    """Directory, or its URL, for a file a shard and ``_rejects/``."""

    output_format: OutputFormat | None = None
    """``parquet`` or ``jsonl``; unset, Parquet where all shards are, else JSON Lines."""

    workers: PositiveInt | None = None
    """Processes, each with the system loaded; unset, as many as the cluster has room for."""

    cpus_per_worker: PositiveFloat = 1
    """Of the cluster's CPUs; the whole number of them is that of the threads which compute."""

    gpus_per_worker: NonNegativeFloat = 0
    """Of the cluster's GPUs; a worker computes on one, or on its part of one. 0 computes on the CPU."""

    batch_tokens: PositiveInt | None = None
    """Words (of a system with a pretrained encoder: pieces) of source plus target that are computed at once, padding
    included; unset, what suits CPU or GPU."""

    rows_at_once: PositiveInt = 8192
    """Rows of a shard that a worker has in memory."""

    attempts: PositiveInt = 3
    """How many workers may die over one shard before it is given up."""

    address: Name | None = None
    """Of the cluster that this machine is of: ``auto``, or ``host:6379``; unset, this machine alone."""

    @model_validator(mode="after")
    def check_what_there_is(self) -> BulkConfig:
        """A system computes on one device; Ray Data is not for clients."""
        wrong: dict[str, str] = {}
        if self.gpus_per_worker > 1:
            wrong["gpus_per_worker"] = "at most 1: a worker computes on one GPU; raise bulk.workers to use more"
        if self.address and "://" in self.address:
            wrong["address"] = "found a URL; run the command on a machine of the cluster, with 'auto'"
        if wrong:
            raise mistakes("BulkConfig", wrong)
        return self

    @property
    def inputs(self) -> list[str]:
        """All of ``input``."""
        return [self.input] if isinstance(self.input, str) else self.input


class BulkConfiguration(BaseConfig):
    """Options of ``kiwi predict --engine ray``."""

    engine: Literal["ray"]
    """What distributes the work."""

    system: BulkSystemConfig
    """The trained system."""

    bulk: BulkConfig
    """What to read and write, and who computes."""

    verbose: bool = False
    """Show debug messages, and what Ray says."""

    quiet: bool = False
    """Show warnings and errors only; has precedence over ``verbose``."""


def is_bulk(options: Mapping[str, Any]) -> bool:
    """Whether options of ``kiwi predict`` are for an engine that distributes the work.

    Args:
        options: as they were given.

    Raises:
        ConfigError: when there is no such engine, or the options are those of the other one.
    """
    engine = options.get("engine", "local")
    if engine not in ENGINES:
        raise ConfigError(f"engine: found {engine!r}; expected one of {', '.join(ENGINES)}.")
    if engine == "local" and "bulk" in options:
        raise ConfigError(
            "bulk: given, but the engine is 'local', which has no such option; remove it, or add --engine ray."
        )
    others = [key for key in ("run", "data", "submission", "use_gpu", "gpu_id") if key in options]
    if engine == "ray" and others:
        raise ConfigError(
            f"{', '.join(others)}: given, but the engine is 'ray', which has no such option; it reads bulk.input, "
            "writes bulk.output, and takes bulk.gpus_per_worker."
        )
    return bool(engine == "ray")
