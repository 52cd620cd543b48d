"""The record of a run in its directory: its status, its configuration, and the state that it can be resumed from."""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kiwi import __version__
from kiwi.exceptions import CheckpointError, ConfigError, StoppedError
from kiwi.training.devices import is_first_process
from kiwi.training.state import STATE_FILE, read_state
from kiwi.utils.dotted import flatten
from kiwi.utils.io import write_json
from kiwi.utils.staging import staged
from kiwi.utils.structured.writing import write_configuration

logger = logging.getLogger(__name__)

RUNS = "runs"
"""The directory of runs without ``run.output_dir``."""

RUN_FILE = "run.json"

LOCK_FILE = ".lock"

FREE_TO_CHANGE = (
    "run.run_id",
    "run.output_dir",
    "run.overwrite",
    "run.use_mlflow",
    "run.use_tensorboard",
    "run.mlflow_tracking_uri",
    "run.mlflow_always_log_artifacts",
    "trainer.resume",
    "trainer.log_save_interval",
    "system.num_data_workers",
    "verbose",
    "quiet",
)
"""The options that affect no weight and no metric, and may change when a run is resumed."""

ABSENT = "(nothing)"


def find_run(run_id: str, root: Path) -> Path | None:
    """Return the directory of a run under ``root``, ``<experiment id>/<run id>``, or None if there is none."""
    return next((path for path in sorted(root.glob(f"*/{run_id.lower()}")) if path.is_dir()), None)


class RunRecord:
    """The configuration and the data of a run, and the state that it resumes from.

    Args:
        output_dir: the directory of the run.
        configuration: the configuration of the run, as plain values.
        on_accepted: a function to call when the data of a run that is resumed was found to be the same.
        on_saved: a function to call when a state of the run has been saved.
    """

    def __init__(
        self,
        output_dir: Path,
        configuration: Mapping[str, Any],
        on_accepted: Callable[[], None] = lambda: None,
        on_saved: Callable[[], None] = lambda: None,
    ) -> None:
        self.output_dir = output_dir
        self.on_accepted = on_accepted
        self.on_saved = on_saved
        self.configuration = dict(configuration)
        self.data: dict[str, Any] = {}
        """A fingerprint of the data, by part and field."""
        self.resumed_from: dict[str, Any] | None = None
        """The state that the run resumes from; None in a new run."""

    @property
    def start_position(self) -> tuple[int, int]:
        """The epoch and the batch to start with, counted from 0."""
        return (self.resumed_from["epoch"], self.resumed_from["batches"]) if self.resumed_from else (0, 0)

    @property
    def state_file(self) -> Path:
        """The file of the state of the run."""
        return self.output_dir / STATE_FILE

    @property
    def fingerprint(self) -> dict[str, Any]:
        """The configuration and the description of the data, which a run must share to be resumed."""
        return {"configuration": self.configuration, "data": self.data}

    @property
    def resume_advice(self) -> str:
        """A sentence that says how to resume the run."""
        own = self.configuration["run"]
        which = "" if own["output_dir"] else f" run.run_id={self.output_dir.name}"
        return f"Its state is saved. To resume it, add to the same command: trainer.resume=true{which}"

    @property
    def stop_advice(self) -> str:
        """A sentence that says what to do after the run was stopped at any time: resume it, or start it again."""
        return self.resume_advice if self.state_file.is_file() else "It has no state yet. Run the same command again."

    def load_state(self) -> None:
        """Read the state that the run resumes from.

        Raises:
            ConfigError: when the run has finished or has another configuration; the message lists the differences.
            CheckpointError: when there is no state, or it is damaged or was written by another version of kiwi.
        """
        status = read_status(self.output_dir)
        if status.get("status") == "finished":
            raise ConfigError(
                f"trainer.resume: the run in {self.output_dir} has finished ({status.get('ended')}). To train its best "
                f"model further, start a new run with system.load={self.output_dir / 'best_model'}."
            )
        if not self.state_file.is_file():
            there = "a run that was stopped before its first batch" if status else "no run"
            raise CheckpointError(
                f"{self.state_file}: nothing to resume: found {there}; expected the state of a run that was stopped. "
                "Check run.run_id and run.output_dir, or start again without trainer.resume."
            )
        state = read_state(self.state_file)["run"]
        if listing := _format_differences(differences(state["configuration"], self.configuration)):
            raise ConfigError(
                f"trainer.resume: the configuration differs from that of the run in {self.output_dir}:\n{listing}\n"
                f"Use the options in {self.output_dir / 'config.yaml'}."
            )
        self.resumed_from = state

    def check_data(self, **parts: Mapping[str, Any]) -> None:
        """Record a description of the data, and check that a resumed run has the same data as when it was started.

        Args:
            parts: the columns of ``train`` and ``valid``.

        Raises:
            ConfigError: when the data differs.
        """
        self.data = {name: describe_data(columns) for name, columns in parts.items()}
        if self.resumed_from is None:
            return
        if listing := _format_differences(differences(self.resumed_from["data"], self.data)):
            raise ConfigError(
                f"trainer.resume: the data has changed since the run in {self.output_dir} started:\n{listing}\n"
                "Restore the files, or start a new run without trainer.resume."
            )
        self.on_accepted()


@contextmanager
def run_session(
    output_dir: Path,
    configuration: Mapping[str, Any],
    *,
    resume: bool,
    on_accepted: Callable[[], None] = lambda: None,
    on_saved: Callable[[], None] = lambda: None,
) -> Iterator[RunRecord]:
    """Lock the directory of a run while it trains, and keep its ``run.json`` up to date.

    Args:
        output_dir: the directory of the run.
        configuration: the configuration of the run, as plain values; it is written to ``config.yaml``.
        resume: whether to resume the run in the directory.
        on_accepted: a function to call when kiwi can no longer refuse the run: a new one when the directory is locked
            and can be written to, and one that is resumed when :meth:`RunRecord.check_data` has passed. When it
            raises an error for a new run, the record of a former run in the directory stays as it is.
        on_saved: a function to call when a state of the run has been saved.

    Raises:
        ConfigError: when another process trains in the directory, a new run would replace one that has not finished,
            or :meth:`RunRecord.load_state` raises it.
        CheckpointError: when :meth:`RunRecord.load_state` raises it.
    """
    record = RunRecord(output_dir, configuration, on_accepted, on_saved)
    if not is_first_process():
        if resume:
            record.load_state()
        yield record
        return
    with _locked(output_dir):
        if resume:
            record.load_state()
        else:
            _require_no_state(record)
        is_recorded = not read_status(output_dir)  # that of a former run stays until this one is accepted
        try:
            with staged(output_dir / "config.yaml") as configuration_file:
                write_configuration(configuration_file, record.configuration)
                if not resume:
                    on_accepted()
            is_recorded = True
            _write_status(output_dir, "running", resumed=resume)
            yield record
        except BaseException as error:
            if is_recorded:
                _write_end(output_dir, error)
            raise
        _write_status(output_dir, "finished")
        record.state_file.unlink(missing_ok=True)


def _write_end(output_dir: Path, error: BaseException) -> None:
    """Write to ``run.json`` that an error has ended the run."""
    is_stopped = isinstance(error, StoppedError | KeyboardInterrupt | SystemExit)
    with suppress(OSError):  # a full disk must not hide why the run ended
        reason = str(error) or type(error).__name__
        _write_status(output_dir, "stopped" if is_stopped else "failed", reason=reason)


def _require_no_state(record: RunRecord) -> None:
    """Reject a new run in the directory of a run that can still be resumed, whose state it would replace."""
    if not record.state_file.exists():
        return
    if read_status(record.output_dir).get("status") == "finished":
        record.state_file.unlink()  # the run was killed just before it did so itself
        return
    raise ConfigError(
        f"run.output_dir: {record.output_dir} has the state of a run that has not finished. To resume it, add "
        "trainer.resume=true to the command that started it; to keep it, choose another directory. To give it up, "
        f"remove {record.state_file}."
    )


def _format_differences(differing: Mapping[str, tuple[str, str]]) -> str:
    return "\n".join(f"  {key}: {now}; the run was started with {was}" for key, (was, now) in differing.items())


def describe_data(columns: Mapping[str, Any]) -> dict[str, str]:
    """Describe data by field: the number of lines, and a checksum where the lines are in memory."""
    described = {}
    for field, lines in columns.items():
        checksum = f", CRC-32 {_checksum(lines):08x}" if isinstance(lines, list) else ""
        described[field] = f"{len(lines)} lines{checksum}"
    return described


def _checksum(lines: list[Any]) -> int:
    total = 0
    for line in lines:
        total = zlib.crc32(str(line).encode() + b"\n", total)
    return total


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return where two configurations differ: the former and the present value by dotted path."""
    one, other = ({key: json.dumps(value) for key, value in flatten(options).items()} for options in (before, now))
    return {
        key: (one.get(key, ABSENT), other.get(key, ABSENT))
        for key in [*one, *(key for key in other if key not in one)]
        if key not in FREE_TO_CHANGE and one.get(key, ABSENT) != other.get(key, ABSENT)
    }


def read_status(output_dir: Path) -> dict[str, Any]:
    """Return the content of ``run.json``; empty when the file is missing or not readable."""
    with suppress(OSError, ValueError):
        content = json.loads((output_dir / RUN_FILE).read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


def _write_status(output_dir: Path, status: str, *, resumed: bool = False, reason: str | None = None) -> None:
    """Write the status to ``run.json``: ``running``, ``finished``, ``failed`` or ``stopped``."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    former = read_status(output_dir)
    started = former.get("started", now) if resumed or status != "running" else now
    content = {"status": status, "kiwi_version": __version__, "process": os.getpid(), "started": started}
    if status != "running":
        content |= {"ended": now} | ({"reason": reason} if reason else {})
    write_json(output_dir / RUN_FILE, content)


@contextmanager
def _locked(output_dir: Path) -> Iterator[None]:
    """Prevent other processes from training in the same directory; the system releases the lock of a killed process."""
    lock = FileLock(output_dir / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"run.output_dir: process {read_status(output_dir).get('process', '(unknown)')} is training in "
            f"{output_dir}. Wait for it, stop it, or choose another directory."
        ) from error
    try:
        yield
    finally:
        lock.release()
