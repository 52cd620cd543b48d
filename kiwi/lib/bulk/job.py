"""A job: which shards it has, which of them are done, and what its output directory says of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kiwi import __version__
from kiwi.data.segments.shard_writers import OutputFormat
from kiwi.data.segments.shards import SUFFIXES, Format, Shard
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.bulk.config import BulkConfiguration
from kiwi.runner import Predictions
from kiwi.runner.engine import AboutSystem
from kiwi.utils.places import COMPRESSED, Found, Place, find, finding, plain_suffix
from kiwi.utils.staging import SUFFIX

JOB_FILE = "_job.json"
"""In the output directory. Other tools take names that begin with an underscore for no data."""

REJECTS = "_rejects"
"""Directory of the bad rows, a file a shard."""


@dataclass(frozen=True)
class Task:
    """A shard, and where its results go."""

    name: str
    """Of the results, relative to the output directory."""

    shard: Shard
    output: Place
    rejects: Place


@dataclass(frozen=True)
class Job:
    """All that a worker has to know."""

    output: Place
    output_format: OutputFormat
    load: str
    model: Mapping[str, Any] | None
    system: Mapping[str, str]
    """What tells the system from others, as :func:`identity` has it."""

    outputs: tuple[str, ...]
    """Names of what is added to each row."""

    options: Mapping[str, Any]
    """What results depend on; a second start has the same."""


def identity(about: AboutSystem) -> dict[str, str]:
    """What tells a system from all that give other results, an export of the same checkpoint in 8 bits among them."""
    return {
        "class_name": about.class_name,
        "sha256": about.sha256,
        "precision": about.precision,
        "export_sha256": about.export_sha256,
    }


def planned(config: BulkConfiguration, about: AboutSystem) -> tuple[Job, list[Task]]:
    """What there is to do, done or not.

    Args:
        config: of the job.
        about: the system.

    Raises:
        ConfigError: when two shards would have one name, or results would be taken for input.
        DataError: when there are no shards, or the first one does not have the columns.
    """
    bulk = config.bulk
    found = _found(config)
    formats = {each.place: _format(each, bulk.format) for each in found}
    parquet = set(formats.values()) == {"parquet"}
    output_format: OutputFormat = bulk.output_format or ("parquet" if parquet else "jsonl")
    nothing = Predictions.of_values({}, 0, about.outputs, use_distribution=about.use_distribution)
    outputs = tuple(nothing.columns())
    names = {field: getattr(bulk.columns, field) for field in about.input_fields}
    output = Place.of(bulk.output)
    options = {
        "system": identity(about),
        "outputs": list(outputs),
        "input": [Place.of(each).url for each in bulk.inputs],
        "format": bulk.format,
        "columns": names,
        "output_format": output_format,
    }
    path = Path(config.system.load)
    load = str(path.resolve()) if path.exists() else config.system.load  # a name on the hub
    job = Job(output, output_format, load, config.system.model, identity(about), outputs, options)
    tasks: dict[str, Task] = {}
    for each in found:
        name = _without_suffix(each.name)
        if name in tasks:
            raise ConfigError(
                f"bulk.input: {tasks[name].shard.place} and {each.place} would both be written as '{name}'; rename "
                "one, or give each a job of its own."
            )
        shard = Shard(each.place, formats[each.place], names, frozenset(outputs))
        tasks[name] = Task(name, shard, output / f"{name}.{output_format}", output / REJECTS / f"{name}.jsonl")
    _check_no_input(config, tasks.values())
    _check_first(next(iter(tasks.values())).shard, about)
    return job, list(tasks.values())


def undone(job: Job, tasks: list[Task]) -> list[Task]:
    """The shards that are left to do; says in the output directory which job this is.

    Args:
        job: of the shards.
        tasks: all of its shards.

    Raises:
        ConfigError: when the directory has results of another job.
    """
    place = job.output / JOB_FILE
    names = job.output.files()
    results = [name for name in names if name != JOB_FILE and SUFFIX not in name]
    done = [task for task in tasks if f"{task.name}.{job.output_format}" in names]
    if JOB_FILE in names and results:
        _check_the_same(job, place)
    elif done:
        raise ConfigError(
            f"bulk.output: found {done[0].output}, but no {JOB_FILE} that says which job it is of; name another "
            "directory, or move what is there."
        )
    else:
        with place.writing() as file:
            content = {"kiwi_version": __version__, **job.options}
            file.write(json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")
    finished = {task.name for task in done}
    return [task for task in tasks if task.name not in finished]


def _check_the_same(job: Job, place: Place) -> None:
    try:
        with place.reading() as file:
            former = json.loads(file.read())
        others = {key: former[key] for key, value in job.options.items() if former[key] != value}
    except (DataError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{place}: found no description of a job ({error}); name another bulk.output.") from error
    if others:
        lines = [f"  {key}: found {job.options[key]}; it was {value}" for key, value in others.items()]
        raise ConfigError(
            f"bulk.output: {job.output} has results of another job. Name another directory, or what this one was "
            "started with:\n" + "\n".join(lines)
        )


def _found(config: BulkConfiguration) -> list[Found]:
    suffixes = _suffixes(config)
    found = {each.place: each for text in config.bulk.inputs for each in find(text, suffixes)}
    return list(found.values())


def _suffixes(config: BulkConfiguration) -> set[str]:
    return {suffix for suffix, kind in SUFFIXES.items() if config.bulk.format in (None, kind)}


def _check_no_input(config: BulkConfiguration, tasks: Iterable[Task]) -> None:
    """Refuse results that a second start, or another job, would take for input."""
    for text in config.bulk.inputs:
        takes = finding(text, _suffixes(config))
        if taken := next((task.output for task in tasks if takes(task.output)), None):
            raise ConfigError(
                f"bulk.output: {taken} would be taken for input, which is {text}; name a directory that is not in it, "
                "or whose name begins with an underscore."
            )


def _format(found: Found, format_: Format | None) -> Format:
    suffix = plain_suffix(found.name)
    if format_ is None and suffix not in SUFFIXES:
        expected = f"one of {', '.join(SUFFIXES)}"
        raise DataError.at(
            found.place, None, found=f"the suffix '{suffix}'", expected=expected, advice="Or say bulk.format."
        )
    return format_ or SUFFIXES[suffix]


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name)
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return path.with_suffix("").as_posix()


def _check_first(shard: Shard, about: AboutSystem) -> None:
    """Check, before any work, what all shards are likely to have in common."""
    columns = sorted(set(about.input_fields) - {"source", "target"})
    if shard.format == "text" and columns:
        raise ConfigError(
            f"{shard.place}: text has source and target, but this system ({about.class_name}) reads "
            f"{', '.join(columns)} too; give it TSV, JSON Lines or Parquet."
        )
    shard.check()
