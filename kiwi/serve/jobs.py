"""Files that are scored in the background: received, scored, and kept for a while to be downloaded."""

from __future__ import annotations

import json
import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from typing_extensions import override

from kiwi.data.documents.formats import require_format
from kiwi.exceptions import KiwiError
from kiwi.lib.score import DocumentOptions
from kiwi.lib.score.document import score_document
from kiwi.serve.batching.model import QueuedRunner
from kiwi.serve.options import Limits
from kiwi.serve.registry import Registry
from kiwi.serve.views.segments import SegmentWriter
from kiwi.utils.compression import SUFFIXES as COMPRESSED

logger = logging.getLogger(__name__)

STATUS = "status.json"

JOB_ID = re.compile(r"[0-9a-f]{32}")

MOST_WARNINGS = 20
"""The maximum number of warnings of a job that are kept."""

AT_ONCE = 2
"""The number of files of a process that are scored at the same time."""

LONGEST_SILENCE = 120.0
"""The number of seconds after which a file that is being scored, and not updated, is taken for lost."""

State = Literal["waiting", "running", "done", "failed", "cancelled"]

FINAL = ("done", "failed", "cancelled")


class TooManyJobsError(KiwiError):
    """A file for which there is no place."""


@dataclass(frozen=True)
class Job:
    """A file that is scored."""

    id: str
    name: str
    """The name of the file, of which kiwi uses the suffix."""

    model: str
    owner: str = ""
    """The name of the API key that may ask for it."""

    state: State = "waiting"
    segments: int = 0
    """The number of segments that are scored."""

    bad_segments: int = 0
    """The number of segments that could not be scored."""

    updated: float = 0.0
    """The time of the last change, on a clock that never jumps and that all processes share."""

    error: str | None = None
    warnings: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Return what its owner may know, for JSON."""
        return {name: value for name, value in asdict(self).items() if name not in ("owner", "updated")}


class _Cancelled(Exception):
    """A job that is no longer wanted."""


class _Warnings(logging.Handler):
    """Keeps the warnings of the thread of a job, which quote texts and names, for its owner alone."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.found: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread and len(self.found) < MOST_WARNINGS:
            self.found.append(record.getMessage())


_job_threads: set[int] = set()


class HideJobs(logging.Filter):
    """Keeps out of the log what the threads of jobs say, because it may quote texts."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread not in _job_threads


class JobStore:
    """The files of a server, in a temporary directory that all of its processes share.

    Each job is a directory with the file, its scored copy and its state, so any process can answer about it.

    Args:
        directory: the directory.
        registry: the models.
        limits: how many files are kept, and for how long.
        clock: returns the time in seconds.
    """

    def __init__(
        self, directory: Path, registry: Registry, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory, self._registry, self._limits, self._clock = directory, registry, limits, clock
        self._pool = ThreadPoolExecutor(AT_ONCE, "kiwi-file")
        self._is_closed = False

    def create(self, name: str, model: str, owner: str) -> Job:
        """Make a place for a file.

        Args:
            name: its name, whose suffix is that of a format.
            model: the name of the model.
            owner: the name of the API key.

        Raises:
            ConfigError: when there is no such format.
            TooManyJobsError: when there is no place.
        """
        name = clean_name(name)
        require_format(Path(name))
        self.remove_expired()
        if len([each for each in self._directory.iterdir() if JOB_ID.fullmatch(each.name)]) >= self._limits.max_jobs:
            raise TooManyJobsError(
                f"There are {self._limits.max_jobs} files, which is the most. Remove one with DELETE, or try later."
            )
        job = Job(secrets.token_hex(16), name, model, owner, updated=self._clock())
        new = self._directory / f"new-{job.id}"
        new.mkdir(mode=0o700)
        (new / STATUS).write_text(json.dumps(asdict(job)), encoding="utf-8")
        new.rename(self._place(job.id))  # with its state, so that nobody takes it for expired
        return job

    def input_of(self, job: Job) -> Path:
        """Return the file of a job, which has a name of kiwi's own."""
        return self._place(job.id) / f"input{_suffixes(job.name)}"

    def output_of(self, job: Job) -> Path:
        """Return the scored copy of the file of a job."""
        return self._place(job.id) / f"output{_suffixes(job.name)}"

    def segments_of(self, job: Job) -> Path:
        """Return the file with the segments of a job and their scores, to be looked at."""
        return self._place(job.id) / "segments"

    def start(self, job: Job, how: DocumentOptions) -> None:
        """Score the file of a job in the background."""
        self._pool.submit(self._run, job, how)

    def find(self, job_id: str) -> Job | None:
        """Return a job; None if there is none, or it has expired."""
        if JOB_ID.fullmatch(job_id) is None:
            return None
        try:
            job = Job(**json.loads((self._place(job_id) / STATUS).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        age = self._clock() - job.updated
        if age > self._limits.file_expiry:
            return None
        if job.state == "running" and age > LONGEST_SILENCE:
            return replace(job, state="failed", error="The process that scored it has ended. Upload the file again.")
        return job

    def remove(self, job: Job) -> None:
        """Cancel a job, and remove its files."""
        gone = self._directory / f"gone-{job.id}"  # out of the reach of what writes its state
        with suppress(OSError):
            self._place(job.id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def remove_expired(self) -> None:
        """Remove the files that nobody can download any more."""
        for place in self._directory.iterdir():
            if JOB_ID.fullmatch(place.name) and self.find(place.name) is None:
                shutil.rmtree(place, ignore_errors=True)

    def close(self) -> None:
        """End the jobs that are running; the directory is removed by who has made it."""
        self._is_closed = True
        self._pool.shutdown(cancel_futures=True)

    def _run(self, job: Job, how: DocumentOptions) -> None:
        thread = threading.get_ident()
        warnings = _Warnings()
        _job_threads.add(thread)
        logging.getLogger("kiwi").addHandler(warnings)
        try:
            job = self._score(job, how)
        except _Cancelled:
            job = replace(self.find(job.id) or job, state="cancelled", error="The server was stopped.")
        except (KiwiError, OSError) as error:
            shown = str(error).replace(str(self.input_of(job)), job.name)
            job = replace(self.find(job.id) or job, state="failed", error=shown)
        except Exception as error:
            job = replace(self.find(job.id) or job, state="failed", error="The server has failed. Its log says how.")
            _job_threads.discard(thread)
            logger.error("A file could not be scored: %s.", type(error).__name__)
        finally:
            logging.getLogger("kiwi").removeHandler(warnings)
            _job_threads.discard(thread)
        found = [text.replace(str(self.input_of(job)), job.name) for text in warnings.found]
        with suppress(OSError):  # when the disk is full, it counts as lost
            self.input_of(job).unlink(missing_ok=True)
            self._update(replace(job, warnings=found))

    def _score(self, job: Job, how: DocumentOptions) -> Job:
        def on_scored(n_segments: int) -> None:
            if self._is_closed or not self._place(job.id).exists():
                raise _Cancelled
            self._update(replace(job, state="running", segments=n_segments))

        with self._registry.hold(job.model) as served, SegmentWriter(self.segments_of(job)) as writer:
            n_bad = score_document(
                served.runner.about.place or served.name,
                self.input_of(job),
                self.output_of(job),
                document=how,
                runner=QueuedRunner(served.runner, served.worker, on_scored),
                observe=writer.add,
            )
        return replace(self.find(job.id) or job, state="done", error=None, bad_segments=n_bad)

    def _update(self, job: Job) -> None:
        if self._place(job.id).exists():
            self._write(job)

    def _write(self, job: Job) -> None:
        place = self._place(job.id)
        part = place / f"{STATUS}.{threading.get_ident()}"
        try:
            part.write_text(json.dumps(asdict(replace(job, updated=self._clock()))), encoding="utf-8")
            part.replace(place / STATUS)
        except FileNotFoundError:  # removed in the meantime
            return

    def _place(self, job_id: str) -> Path:
        return self._directory / job_id


def clean_name(name: str) -> str:
    """Return the last part of a file's name, without what could be misunderstood in a header or a path."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[\x00-\x1f\x7f\"]", "_", last)[-200:] or "file"


def _suffixes(name: str) -> str:
    """Return the suffix of a file's name with that of its compression, such as ``.xlf.gz``."""
    path = Path(name.lower())
    own = path.suffix
    return Path(path.stem).suffix + own if own in COMPRESSED else own
