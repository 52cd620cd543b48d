"""The files that are received, scored, and kept for a while to be downloaded, in a directory."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from kiwi.data.documents.formats import require_format
from kiwi.serve.jobs.job import FINAL, JOB_ID, Job, TooManyJobsError, clean_name, suffixes
from kiwi.serve.options import Limits
from kiwi.utils.staging import lock, unlock

STATUS = "status.json"

HELD = "held"
"""The directory that the process which receives or scores a file has locked; what scores it locks that of the file."""

NEW = "new-"
"""What stands before the name of a job whose file is being received, which has no place among the others yet."""

LOST = "The process that was to score it has ended. Upload the file again."


class JobStore:
    """The files of a server, in a temporary directory that all of its processes share.

    Each job is a directory with the file, its scored copy and its state, so any process can answer about it. The
    process that receives or scores the file holds a lock, which the system releases when the process ends.

    Args:
        directory: the directory.
        limits: how many files are kept, and for how long.
        clock: returns the time in seconds.
    """

    def __init__(self, directory: Path, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory, self._limits, self._clock = directory, limits, clock
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
        return self._place(job.id) / f"input{suffixes(job.name)}"

    def output_of(self, job: Job) -> Path:
        """Return the scored copy of the file of a job."""
        return self._place(job.id) / f"output{suffixes(job.name)}"

    def segments_of(self, job: Job) -> Path:
        """Return the file with the segments of a job and their scores, to be looked at."""
        return self._place(job.id) / "segments"

    def keep(self, job: Job) -> None:
        """Give the file of a job, which is complete, its place among the others.

        Raises:
            TooManyJobsError: when there is none any more.
        """
        self._check_room()
        self.received(job).parent.rename(self.place_of(job))

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

    def close(self, reason: str) -> None:
        """End the jobs of this process that still wait; the directory is removed by who has made it.

        Args:
            reason: what their owners are told.
        """
        for job_id in [*self._held]:
            if (job := self.find(job_id)) is not None and job.state == "waiting":
                with suppress(OSError):
                    self.update(replace(job, state="cancelled", error=reason))
            unlock(self._held.pop(job_id, None))

    def release(self, job: Job) -> None:
        """Give back the lock of a job that this process has scored."""
        unlock(self._held.pop(job.id, None))
        if not self.has(job):
            shutil.rmtree(self._place(job.id), ignore_errors=True)

    def has(self, job: Job) -> bool:
        """Return whether a job has not been removed; its output, if just begun, may have made the directory again."""
        return (self.place_of(job) / STATUS).exists()

    def _check_room(self) -> None:
        if len([each for each in self._directory.iterdir() if JOB_ID.fullmatch(each.name)]) >= self._limits.max_jobs:
            raise TooManyJobsError(
                f"There are {self._limits.max_jobs} files, which is the most. Remove one with DELETE, or try later."
            )

    def update(self, job: Job) -> None:
        """Write the state of a job, unless it has been removed."""
        if self.has(job):
            self._write(job)

    def _write(self, job: Job) -> None:
        place = self._place(job.id)
        part = place / f"{STATUS}.{threading.get_ident()}"
        try:
            part.write_text(json.dumps(asdict(replace(job, updated=self._clock()))), encoding="utf-8")
            part.replace(place / STATUS)
        except FileNotFoundError:  # removed in the meantime
            return

    def place_of(self, job: Job) -> Path:
        """Return the directory of a job."""
        return self._place(job.id)

    def _place(self, job_id: str) -> Path:
        return self._directory / job_id


def _is_abandoned(place: Path) -> bool:
    """Return whether no process that runs holds the lock of a job."""
    held = lock(place / HELD, wait=False)
    unlock(held)
    return held is not None
