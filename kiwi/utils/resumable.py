"""Files that grow together, line by line, and can be resumed after their process was killed."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from kiwi.exceptions import KiwiError
from kiwi.utils.io import read_structured, write_json
from kiwi.utils.staging import lock, named_errors, unlock

logger = logging.getLogger(__name__)

DIRECTORY = ".kiwi-unfinished"
"""The subdirectory in which unfinished files grow."""

STATE_FILE = "state.json"


class GrowingFiles:
    """Text files with the same number of lines, which appear in a directory when all of them are complete.

    Until then, they grow in a subdirectory. After each addition, their sizes are saved atomically, so that a resumed
    process finds the lines that all files have, whenever the previous one was killed.

    Args:
        directory: the directory of the finished files.
        names: the names of the files.
        origin: a description of what the files are made from; files of another origin are discarded.
    """

    def __init__(self, directory: Path, names: Sequence[str], origin: Mapping[str, Any]) -> None:
        self.directory = directory
        self.names = list(names)
        self.origin = dict(origin)
        self.place = directory / DIRECTORY
        self.n_lines = 0
        """The number of lines of each file so far."""
        self.digest = ""
        """The digest of the input of the lines so far, as given to the last :meth:`add`."""
        self._files: dict[str, IO[bytes]] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the files, and continue where a killed process stopped.

        Raises:
            KiwiError: when another process is writing the files.
        """
        with ExitStack() as stack:
            with named_errors(self.directory):
                self.place.mkdir(parents=True, exist_ok=True)
            try:
                stack.callback(unlock, lock(self.place, wait=False, must=True))
            except BlockingIOError as error:
                raise KiwiError(
                    f"{self.directory}: another process is writing predictions there. Choose another directory."
                ) from error
            self._load_state()
            stack.callback(self._close)
            for name in self.names:
                self._files[name] = (self.place / name).open("ab")
            yield

    def _close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):  # of a full disk, which was reported before
                file.close()
        self._files = {}

    def _load_state(self) -> None:
        """Load the state of unfinished files, and truncate them to the lines that all of them have."""
        file = self.place / STATE_FILE
        state = read_structured(file) if file.is_file() else None
        fits = isinstance(state, dict) and state.get("origin") == self.origin
        if not isinstance(state, dict) or not fits or set(state["bytes"]) != set(self.names):
            self.restart()
            return
        for name in self.names:
            if not (self.place / name).exists() and (self.directory / name).exists():
                (self.directory / name).replace(self.place / name)  # the file was finished already
        if not all((self.place / name).exists() for name in self.names):
            self.restart()
            return
        for name, size in state["bytes"].items():
            os.truncate(self.place / name, size)
        self.n_lines, self.digest = state["lines"], state["digest"]

    def restart(self) -> None:
        """Discard everything and start from the beginning."""
        self.n_lines, self.digest = 0, ""
        (self.place / STATE_FILE).unlink(missing_ok=True)
        for path in self.place.iterdir():
            if path.is_dir():  # a state that was being written
                shutil.rmtree(path)
            elif path.name not in self._files:
                path.unlink()
        for file in self._files.values():
            file.truncate(0)

    def add(self, lines: Mapping[str, Sequence[str]], digest: str) -> None:
        """Add the same number of lines to each file.

        Args:
            lines: the lines by name of the file.
            digest: the digest of the input of all lines so far.
        """
        if set(lines) != set(self.names):
            raise ValueError(f"found lines for {sorted(lines)}; expected {sorted(self.names)}")
        with named_errors(self.directory):
            for name, file in self._files.items():
                file.write("".join(f"{line}\n" for line in lines[name]).encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
        self.n_lines += len(lines[self.names[0]])
        self.digest = digest
        state = {
            "origin": self.origin,
            "lines": self.n_lines,
            "digest": digest,
            "bytes": {name: file.tell() for name, file in self._files.items()},
        }
        write_json(self.place / STATE_FILE, state)

    def finish(self, stale: Collection[str] = ()) -> list[Path]:
        """Move the files to their directory; until :meth:`forget` is called, a new process finds them complete.

        Args:
            stale: the names of old files to remove, unless they are among the finished ones.

        Returns:
            The paths of the files.
        """
        self._close()
        for name in stale:
            if name not in self.names:
                (self.directory / name).unlink(missing_ok=True)
        for name in self.names:
            (self.place / name).replace(self.directory / name)
        return [self.directory / name for name in self.names]

    def forget(self) -> None:
        """Remove the state that a process needs to resume."""
        shutil.rmtree(self.place)
