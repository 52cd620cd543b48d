"""The plan of a job: its shards, which of them are done, and the description of the job in its output directory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from kiwi import __version__, constants as const
from kiwi.data.segments.shard_writers import OutputFormat
from kiwi.data.segments.shards import SUFFIXES, Format, Shard
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.bulk.columns import check_columns, first_readable, has_pairs, must_align
from kiwi.lib.bulk.config import BulkConfiguration
from kiwi.runner.engine import AboutSystem
from kiwi.utils.compression import SUFFIXES as COMPRESSED
from kiwi.utils.places import Found, Place, find, finding, plain_suffix
from kiwi.utils.staging import SUFFIX

JOB_FILE = "_job.json"
"""The description of the job in the output directory; other tools skip names that begin with an underscore."""

REJECTS = "_rejects"
"""The directory of the bad rows, with one file for each shard that has some."""

ADVICE = "Finished shards are kept; run the same command again to resume the job."
"""The end of the message about a job that was stopped."""


@dataclass(frozen=True)
class Task:
    """A shard and the places of its results."""

    name: str
    """The path of the results relative to the output directory, without suffix."""

    shard: Shard
    output: Place
    rejects: Place


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs to know about a job."""

    output: Place
    output_format: OutputFormat
    load: str
    model: Mapping[str, Any] | None
    system: Mapping[str, str]
    """The :func:`identity` of the system."""

    outputs: tuple[str, ...]
    """The names of the columns that are added to each row."""

    options: Mapping[str, Any]
    """The options that results depend on; they must be the same when the job is resumed."""

    aligns: bool = False
    """Whether kiwi aligns the words of the segments."""

    aligner: str | None = None
    """What aligns them; see :attr:`kiwi.runner.options.PredictOptions.aligner`."""

    def with_aligner(self, aligner: str) -> Job:
        """Return the job with what :meth:`kiwi.runner.Runner.prepare_aligner` returns, which results depend on."""
        return replace(self, options={**self.options, "aligner": aligner})


def identity(about: AboutSystem) -> dict[str, str]:
    """Return the values that determine a system's results; an 8-bit export differs from its checkpoint."""
    return {
        "class_name": about.class_name,
        "sha256": about.sha256,
        "precision": about.precision,
        "export_sha256": about.export_sha256,
    }


def plan_job(config: BulkConfiguration, about: AboutSystem) -> tuple[Job, list[Task]]:
    """Return the job and all of its tasks, done or not.

    Args:
        config: the options of the job.
        about: the system.

    Raises:
        ConfigError: when two shards would have the same name, results would be read as input, or alignments are
            neither given nor made.
        DataError: when there are no shards, none can be read, or the first one that can be read lacks columns.
    """
    bulk = config.bulk
    found = _find_shards(config)
    formats = {each.place: _format(each, bulk.format) for each in found}
    all_parquet = set(formats.values()) == {"parquet"}
    output_format: OutputFormat = bulk.output_format or ("parquet" if all_parquet else "jsonl")
    outputs = tuple(about.no_predictions().columns())
    names = {field: getattr(bulk.columns, field) for field in about.input_fields}
    shards = [Shard(place, format_, names) for place, format_ in formats.items()]
    first, columns = first_readable(shards)
    aligns = must_align(bulk, about, columns)
    if aligns:
        del names[const.ALIGNMENTS]
    if has_pairs(bulk, about, columns or ()):
        names[const.LANGUAGE_PAIR] = bulk.columns.lp
    output = Place.of(bulk.output)
    options = {
        "system": identity(about),
        "outputs": list(outputs),
        "input": [str(Place.of(each)) for each in bulk.inputs],
        "format": bulk.format,
        "columns": names,
        "output_format": output_format,
        "on_bad_segment": bulk.on_bad_segment,
        "aligner": None,
    }
    load, aligner = _absolute(config.system.load), bulk.aligner and _absolute(bulk.aligner)
    model = config.system.model
    job = Job(output, output_format, load, model, identity(about), outputs, options, aligns=aligns, aligner=aligner)
    tasks: dict[str, Task] = {}
    for each in found:
        name = _without_suffix(each.name)
        if name in tasks:
            raise ConfigError(
                f"bulk.input: {tasks[name].shard.place} and {each.place} would both be written as '{name}'; rename "
                "one, or give each a job of its own."
            )
        shard = Shard(each.place, formats[each.place], names, frozenset(outputs), bulk.on_bad_segment)
        tasks[name] = Task(name, shard, output / f"{name}.{output_format}", output / REJECTS / f"{name}.jsonl")
    _check_output_is_not_input(config, tasks.values())
    check_columns(next(task.shard for task in tasks.values() if task.shard.place == first.place), about)
    return job, list(tasks.values())


def _absolute(name: str) -> str:
    """Return the absolute path of a directory; a name on the hub is returned as it is."""
    path = Path(name)
    return str(path.resolve()) if path.exists() else name


def pending_tasks(job: Job, tasks: list[Task]) -> list[Task]:
    """Return the tasks that are not done; write the description of a new job into its output directory.

    Args:
        job: the job.
        tasks: all of its tasks.

    Raises:
        ConfigError: when the directory has results of another job.
    """
    place = job.output / JOB_FILE
    names = job.output.files()
    results = [name for name in names if name != JOB_FILE and SUFFIX not in name]
    done = [task for task in tasks if f"{task.name}.{job.output_format}" in names]
    rejects = [task for task in tasks if f"{REJECTS}/{task.name}.jsonl" in names]
    if JOB_FILE in names and (results or not _is_job(place)):
        _check_same_job(job, place)
    elif done or rejects:
        foreign = done[0].output if done else rejects[0].rejects
        raise ConfigError(
            f"bulk.output: found {foreign}, but no {JOB_FILE} that describes its job. Name another directory, or move "
            "the files that are there."
        )
    else:
        with place.writing() as file:
            content = {"kiwi_version": __version__, **job.options}
            file.write(json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")
    finished = {task.name for task in done}
    return [task for task in tasks if task.name not in finished]


def count_shards_with_rejects(job: Job, tasks: Iterable[Task]) -> int:
    """Return how many shards have bad rows.

    Args:
        job: the job.
        tasks: tasks that are done.
    """
    names = (job.output / REJECTS).files()
    return sum(f"{task.name}.jsonl" in names for task in tasks)


def _is_job(place: Place) -> bool:
    """Return whether kiwi has written the description of a job, which it replaces while there are no results."""
    try:
        with place.reading() as file:
            return "kiwi_version" in json.loads(file.read())
    except (DataError, ValueError, TypeError):
        return False


def _check_same_job(job: Job, place: Place) -> None:
    try:
        with place.reading() as file:
            former = json.loads(file.read())
        former = {"on_bad_segment": "skip", "aligner": None, **former}  # of versions without these options
        changed = {key: former[key] for key, value in job.options.items() if former[key] != value}
    except (DataError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{place}: found no description of a job ({error}). Name another bulk.output.") from error
    if changed:
        lines = [f"  {key}: found {job.options[key]}; it was {value}" for key, value in changed.items()]
        raise ConfigError(
            f"bulk.output: {job.output} has results of another job. Name another directory, or restore the "
            "options that this job was started with:\n" + "\n".join(lines)
        )


def _find_shards(config: BulkConfiguration) -> list[Found]:
    suffixes = _suffixes(config)
    found = {each.place: each for text in config.bulk.inputs for each in find(text, suffixes)}
    return list(found.values())


def _suffixes(config: BulkConfiguration) -> set[str]:
    return {suffix for suffix, kind in SUFFIXES.items() if config.bulk.format in (None, kind)}


def _check_output_is_not_input(config: BulkConfiguration, tasks: Iterable[Task]) -> None:
    """Reject an output that a resumed or another job would read as input."""
    for text in config.bulk.inputs:
        is_input = finding(text, _suffixes(config))
        if clash := next((task.output for task in tasks if is_input(task.output)), None):
            raise ConfigError(
                f"bulk.output: {clash} would be read as input, because bulk.input is {text}. Name a directory outside "
                "of it, or one whose name begins with an underscore."
            )


def _format(found: Found, format_: Format | None) -> Format:
    suffix = plain_suffix(found.name)
    if format_ is None and suffix not in SUFFIXES:
        expected = f"one of {', '.join(SUFFIXES)}"
        raise DataError.at(
            found.place, None, found=f"the suffix '{suffix}'", expected=expected, advice="Or set bulk.format."
        )
    return format_ or SUFFIXES[suffix]


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name)
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return path.with_suffix("").as_posix()
