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

from kiwi.data.documents.formats import require_format
from kiwi.exceptions import KiwiError
from kiwi.lib.score import DocumentOptions
from kiwi.lib.score.document import score_document
from kiwi.serve.batching.model import QueuedRunner
from kiwi.serve.job_log import own_warnings
from kiwi.serve.options import Limits
from kiwi.serve.registry import Registry
from kiwi.serve.views.segments import SegmentWriter
from kiwi.utils.compression import SUFFIXES as COMPRESSED
from kiwi.utils.inputs import NO_SPACE
from kiwi.utils.staging import lock, unlock

logger = logging.getLogger(__name__)

STATUS = "status.json"

HELD = "held"
"""The directory that the process which receives or scores a file has locked; what scores it locks that of the file."""

JOB_ID = re.compile(r"[0-9a-f]{32}")

AT_ONCE = 2
"""The number of files of a process that are scored at the same time."""

State = Literal["waiting", "running", "done", "failed", "cancelled"]

FINAL = ("done", "failed", "cancelled")

NEW = "new-"
"""What stands before the name of a job whose file is being received, which has no place among the others yet."""

STOPPED = "The server was stopped."
FAILED = "The server has failed. Its log says how."
FULL = "The server has no room on its disk. Try later."
LOST = "The process that was to score it has ended. Upload the file again."


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


class JobStore:
    """The files of a server, in a temporary directory that all of its processes share.

    Each job is a directory with the file, its scored copy and its state, so any process can answer about it. The
    process that receives or scores the file holds a lock, which the system releases when the process ends.

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
        self._held: dict[str, int | None] = {}

    def create(self, name: str, model: str, owner: str) -> Job:
        """Make a place to receive a file in.

        Args:
            name: its name, whose suffix is that of a format.
            model: the name of the model.
            owner: the name of the API key.

        Raises:
            ConfigError: when there is no such format.
            TooManyJobsError: when there is no place for it, or too many others are being received.
        """
        name = clean_name(name)
        require_format(Path(name))
        self.remove_expired()
        self._check_room()
        if len([*self._directory.glob(f"{NEW}*")]) >= self._limits.max_jobs:
            raise TooManyJobsError(f"{self._limits.max_jobs} files are being received, which is the most. Try later.")
        job = Job(secrets.token_hex(16), name, model, owner, updated=self._clock())
        new = self._directory / f"{NEW}{job.id}"
        new.mkdir(mode=0o700)
        try:
            (new / HELD).mkdir()
            self._held[job.id] = lock(new / HELD, wait=True)
            # From now on it may be taken for that of a process that has ended.
            (new / STATUS).write_text(json.dumps(asdict(job)), encoding="utf-8")
        except OSError:
            self.forget(job)
            raise
        return job

    def received(self, job: Job) -> Path:
        """Return the file of a job that is being received."""
        return self._directory / f"{NEW}{job.id}" / self.input_of(job).name

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
        """Score the file of a job, which is complete, in the background.

        Raises:
            TooManyJobsError: when there is no place any more.
        """
        self._check_room()
        if self._is_closed:
            raise TooManyJobsError("The server is shutting down and takes no more files.")
        self.received(job).parent.rename(self._place(job.id))
        self._pool.submit(self._run, job, how)

    def find(self, job_id: str) -> Job | None:
        """Return a job; None if there is none, or it has expired."""
        if JOB_ID.fullmatch(job_id) is None:
            return None
        try:
            job = Job(**json.loads((self._place(job_id) / STATUS).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        if job.state not in FINAL:
            if not _is_abandoned(self._place(job_id)):
                return job
            with suppress(OSError, ValueError):  # it may have been finished just now
                job = Job(**json.loads((self._place(job_id) / STATUS).read_bytes()))
            if job.state not in FINAL:
                job = replace(job, state="failed", error=LOST)
        return None if self._clock() - job.updated > self._limits.file_expiry else job

    def remove(self, job: Job) -> None:
        """Cancel a job, and remove its files."""
        gone = self._directory / f"gone-{job.id}"  # out of the reach of what writes its state
        with suppress(OSError):
            self._place(job.id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def forget(self, job: Job) -> None:
        """Remove a file that was not received."""
        shutil.rmtree(self.received(job).parent, ignore_errors=True)
        unlock(self._held.pop(job.id, None))

    def remove_expired(self) -> None:
        """Remove the files that nobody can download any more, and what was received by processes that have ended."""
        for place in self._directory.iterdir():
            is_new = place.name.startswith(NEW)
            if (JOB_ID.fullmatch(place.name) and self.find(place.name) is None) or (
                is_new and (place / STATUS).exists() and _is_abandoned(place)
            ):
                shutil.rmtree(place, ignore_errors=True)

    def close(self) -> None:
        """End the jobs that wait or are running; the directory is removed by who has made it."""
        self._is_closed = True
        self._pool.shutdown(cancel_futures=True)
        for job_id in [*self._held]:
            if (job := self.find(job_id)) is not None and job.state == "waiting":
                with suppress(OSError):
                    self._update(replace(job, state="cancelled", error=STOPPED))
            unlock(self._held.pop(job_id, None))

    def _run(self, job: Job, how: DocumentOptions) -> None:
        failure: Exception | None = None
        with own_warnings() as warnings:
            try:
                job = self._score(job, how)
            except _Cancelled:
                job = replace(self.find(job.id) or job, state="cancelled", error=STOPPED)
            except (KiwiError, OSError) as error:
                is_full = isinstance(error, OSError) and error.errno in NO_SPACE
                job = replace(self.find(job.id) or job, state="failed", error=FULL if is_full else str(error))
            except Exception as error:
                failure = error
                job = replace(self.find(job.id) or job, state="failed", error=FAILED)
        if failure is not None:
            logger.error("A file could not be scored: %s.", type(failure).__name__)
        reason = None if job.error is None else self._public(job.error, job)
        found = [self._public(text, job) for text in warnings]
        with suppress(OSError):  # when the disk is full, it counts as lost
            self.input_of(job).unlink(missing_ok=True)
            self._update(replace(job, error=reason, warnings=found))
        unlock(self._held.pop(job.id, None))

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

    def _public(self, text: str, job: Job) -> str:
        """Return a message with the name of the file in place of the server's paths."""
        for path in (self.input_of(job), self.output_of(job), self._place(job.id)):
            text = text.replace(str(path), job.name)
        return text

    def _check_room(self) -> None:
        if len([each for each in self._directory.iterdir() if JOB_ID.fullmatch(each.name)]) >= self._limits.max_jobs:
            raise TooManyJobsError(
                f"There are {self._limits.max_jobs} files, which is the most. Remove one with DELETE, or try later."
            )

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


def _is_abandoned(place: Path) -> bool:
    """Return whether no process that runs holds the lock of a job."""
    held = lock(place / HELD, wait=False)
    unlock(held)
    return held is not None


def clean_name(name: str) -> str:
    """Return the last part of a file's name, without what could be misunderstood in a header or a path."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[\x00-\x1f\x7f\"]", "_", last)[-200:] or "file"


def _suffixes(name: str) -> str:
    """Return the suffix of a file's name with that of its compression, such as ``.xlf.gz``."""
    path = Path(name.lower())
    own = path.suffix
    return Path(path.stem).suffix + own if own in COMPRESSED else own
