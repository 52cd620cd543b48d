"""What the directory of a run says of it: whether it runs, how it ended, and what it may go on with."""

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
from kiwi.utils.io import write_json, write_yaml

logger = logging.getLogger(__name__)

RUNS = "runs"
"""Where runs are that name no directory."""

RUN_FILE = "run.json"

LOCK_FILE = ".lock"

FREE_TO_CHANGE = (
    "run.run_id",
    "run.output_dir",
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
"""Options that no weight and no metric depends on."""

NOTHING = "(nothing)"


def find_run(run_id: str, root: Path) -> Path | None:
    """Directory of a run under ``root``: ``<experiment id>/<run id>``; None where there is none."""
    return next((path for path in sorted(root.glob(f"*/{run_id.lower()}")) if path.is_dir()), None)


class RunRecord:
    """What the directory of a run says of it.

    Args:
        output_dir: of the run.
        configuration: of the run, as plain values.
        on_saved: called when its state has been saved.
    """

    def __init__(
        self, output_dir: Path, configuration: Mapping[str, Any], on_saved: Callable[[], None] = lambda: None
    ) -> None:
        self.output_dir = output_dir
        self.on_saved = on_saved
        self.configuration = dict(configuration)
        self.data: dict[str, Any] = {}
        """What tells its data from others."""
        self.former: dict[str, Any] | None = None
        """What a run that goes on has kept."""

    @property
    def first_batch(self) -> tuple[int, int]:
        """Epoch and batch to begin with."""
        return (self.former["epoch"], self.former["batches"]) if self.former else (0, 0)

    @property
    def state_file(self) -> Path:
        """Where its state is kept."""
        return self.output_dir / STATE_FILE

    @property
    def kept(self) -> dict[str, Any]:
        """What its state is known by."""
        return {"configuration": self.configuration, "data": self.data}

    @property
    def how_to_go_on(self) -> str:
        """The advice of a run that was stopped."""
        own = self.configuration["run"]
        which = "" if own["output_dir"] else f" run.run_id={self.output_dir.name}"
        return f"Its state is saved: to go on, add to the same command: trainer.resume=true{which}"

    def take_up(self) -> None:
        """Read the state that the run goes on from.

        Raises:
            ConfigError: when the run has finished, or has another configuration; what differs is listed.
            CheckpointError: when there is no state, it is damaged, or of another version of kiwi.
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
                "Check run.run_id and run.output_dir, or start anew without trainer.resume."
            )
        former = read_state(self.state_file)["run"]
        if listing := _listed(differences(former["configuration"], self.configuration)):
            raise ConfigError(
                f"trainer.resume: the configuration is not that of the run in {self.output_dir}:\n{listing}\n"
                f"Its own is {self.output_dir / 'config.yaml'}."
            )
        self.former = former

    def see_data(self, **parts: Mapping[str, Any]) -> None:
        """Take note of the data, and see that a run goes on with what it was started with.

        Args:
            parts: columns of ``train`` and ``valid``.

        Raises:
            ConfigError: when they differ.
        """
        self.data = {name: describe_data(columns) for name, columns in parts.items()}
        if self.former and (listing := _listed(differences(self.former["data"], self.data))):
            raise ConfigError(
                f"trainer.resume: the data have changed since the run in {self.output_dir} began:\n{listing}"
            )


@contextmanager
def begun(
    output_dir: Path,
    configuration: Mapping[str, Any],
    *,
    resume: bool,
    on_saved: Callable[[], None] = lambda: None,
) -> Iterator[RunRecord]:
    """Hold the directory of a run while it trains, and keep ``run.json`` true.

    Args:
        output_dir: of the run.
        configuration: of the run, as plain values; written to ``config.yaml``.
        resume: whether to go on with what is there.
        on_saved: called when the state of the run has been saved.

    Raises:
        ConfigError: when another process trains there; and as :meth:`RunRecord.take_up`.
        CheckpointError: as :meth:`RunRecord.take_up`.
    """
    record = RunRecord(output_dir, configuration, on_saved)
    if not is_first_process():
        if resume:
            record.take_up()
        yield record
        return
    with _claimed(output_dir):
        if resume:
            record.take_up()
        elif record.state_file.exists():
            logger.warning("%s: this run replaces one that had not finished.", output_dir)
            record.state_file.unlink()
        write_yaml(output_dir / "config.yaml", record.configuration)
        _write_status(output_dir, "running", resumed=resume)
        try:
            yield record
        except BaseException as error:
            is_stopped = isinstance(error, StoppedError | KeyboardInterrupt | SystemExit)
            with suppress(OSError):  # a disk that is full is not to hide why the run has ended
                reason = str(error) or type(error).__name__
                _write_status(output_dir, "stopped" if is_stopped else "failed", reason=reason)
            raise
        _write_status(output_dir, "finished")
        record.state_file.unlink(missing_ok=True)


def _listed(differing: Mapping[str, tuple[str, str]]) -> str:
    return "\n".join(f"  {key}: {now}; the run was started with {was}" for key, (was, now) in differing.items())


def describe_data(columns: Mapping[str, Any]) -> dict[str, str]:
    """What tells other data from these, by field: the number of lines, and a checksum of those that are in memory."""
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
    """Where two configurations differ: dotted path to the former and the present value."""
    one, other = ({key: json.dumps(value) for key, value in flatten(options).items()} for options in (before, now))
    return {
        key: (one.get(key, NOTHING), other.get(key, NOTHING))
        for key in [*one, *(key for key in other if key not in one)]
        if key not in FREE_TO_CHANGE and one.get(key, NOTHING) != other.get(key, NOTHING)
    }


def read_status(output_dir: Path) -> dict[str, Any]:
    """What ``run.json`` says; empty where it is not there or not readable."""
    with suppress(OSError, ValueError):
        content = json.loads((output_dir / RUN_FILE).read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


def _write_status(output_dir: Path, status: str, *, resumed: bool = False, reason: str | None = None) -> None:
    """Say in ``run.json`` how it goes: ``running``, ``finished``, ``failed`` or ``stopped``."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    former = read_status(output_dir)
    started = former.get("started", now) if resumed or status != "running" else now
    content = {"status": status, "kiwi_version": __version__, "process": os.getpid(), "started": started}
    if status != "running":
        content |= {"ended": now} | ({"reason": reason} if reason else {})
    write_json(output_dir / RUN_FILE, content)


@contextmanager
def _claimed(output_dir: Path) -> Iterator[None]:
    """Keep other processes from training in the same directory; a killed process leaves no claim behind."""
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
