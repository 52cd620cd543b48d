"""Files that grow together, line by line, and go on after their process was killed."""

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
"""In the directory of the files, as long as they are not whole."""

STATE_FILE = "state.json"


class GrowingFiles:
    """Text files of the same number of lines, which appear in a directory when all of them are whole.

    Until then they grow in a directory inside of it. After each addition, how long they are is written in one step, so
    that whoever goes on finds lines that all files have, whatever the moment of a kill.

    Args:
        directory: that the files are to appear in.
        names: of the files.
        origin: what they are made of; files of another origin are begun anew.
    """

    def __init__(self, directory: Path, names: Sequence[str], origin: Mapping[str, Any]) -> None:
        self.directory = directory
        self.names = list(names)
        self.origin = dict(origin)
        self.place = directory / DIRECTORY
        self.n_lines = 0
        """Of each file, so far."""
        self.digest = ""
        """Of what the lines so far are made of, as the last addition said."""
        self._files: dict[str, IO[bytes]] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Begin, or go on where a process that was killed has stopped.

        Raises:
            KiwiError: when another process is writing them.
        """
        with ExitStack() as stack:
            with named_errors(self.directory):
                self.place.mkdir(parents=True, exist_ok=True)
            try:
                stack.callback(unlock, lock(self.place, wait=False, must=True))
            except BlockingIOError as error:
                raise KiwiError(
                    f"{self.directory}: another process is writing predictions there. Name another directory."
                ) from error
            self._find()
            stack.callback(self._close)
            for name in self.names:
                self._files[name] = (self.place / name).open("ab")
            yield

    def _close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):  # of a full disk, which has been said
                file.close()
        self._files = {}

    def _find(self) -> None:
        """What is there of these files, cut to what all of them have."""
        file = self.place / STATE_FILE
        state = read_structured(file) if file.is_file() else None
        fits = isinstance(state, dict) and state.get("origin") == self.origin
        if not isinstance(state, dict) or not fits or set(state["bytes"]) != set(self.names):
            self.restart()
            return
        for name in self.names:
            if not (self.place / name).exists() and (self.directory / name).exists():
                (self.directory / name).replace(self.place / name)  # they were in their places already
        if not all((self.place / name).exists() for name in self.names):
            self.restart()
            return
        for name, size in state["bytes"].items():
            os.truncate(self.place / name, size)
        self.n_lines, self.digest = state["lines"], state["digest"]

    def restart(self) -> None:
        """Begin anew."""
        self.n_lines, self.digest = 0, ""
        (self.place / STATE_FILE).unlink(missing_ok=True)
        for path in self.place.iterdir():
            if path.is_dir():  # of a state that was being written
                shutil.rmtree(path)
            elif path.name not in self._files:
                path.unlink()
        for file in self._files.values():
            file.truncate(0)

    def add(self, lines: Mapping[str, Sequence[str]], digest: str) -> None:
        """Add the same number of lines to each file.

        Args:
            lines: by file.
            digest: of all that the lines so far are made of.
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
        """Put the files in their places. Until :meth:`forget` is called, whoever begins finds that they are whole.

        Args:
            stale: names of files that are removed if they are there and are none of these.

        Returns:
            The files.
        """
        self._close()
        for name in stale:
            if name not in self.names:
                (self.directory / name).unlink(missing_ok=True)
        for name in self.names:
            (self.place / name).replace(self.directory / name)
        return [self.directory / name for name in self.names]

    def forget(self) -> None:
        """Remove what a process needs to go on."""
        shutil.rmtree(self.place)
