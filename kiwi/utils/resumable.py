"""Files that grow together, line by line, and can be resumed after their process was killed."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from kiwi.exceptions import DataError, KiwiError
from kiwi.utils.io import write_json
from kiwi.utils.staging import lock, named_errors, unlock

logger = logging.getLogger(__name__)

DIRECTORY = ".kiwi-unfinished"
"""The subdirectory in which unfinished files grow."""

STATE_FILE = "state.json"

REPLACING = "replacing"
"""The key of the state with the names in the directory that finished files replace, in case that is interrupted."""


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
        self.n_skipped = 0
        """The number of rows of the input so far that have no line; saved with the next addition."""
        self.digest = ""
        """The digest of the input of the lines so far, as given to the last :meth:`add`."""
        self._files: dict[str, IO[bytes]] = {}
        self._sizes: dict[str, int] = dict.fromkeys(self.names, 0)

    @property
    def n_rows(self) -> int:
        """The number of rows of the input so far."""
        return self.n_lines + self.n_skipped

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the files, and continue where a killed process stopped.

        Raises:
            KiwiError: when another process is writing the files.
            DataError: when an unfinished file has lost some of its lines.
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
        from kiwi.utils.structured.reading import read_structured

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
            self._check_size(name, size)
        self._sizes = dict(state["bytes"])
        for name, size in self._sizes.items():
            os.truncate(self.place / name, size)
        self.n_lines, self.digest = state["lines"], state["digest"]
        self.n_skipped = state.get("skipped", 0)

    def _check_size(self, name: str, expected: int) -> None:
        """Check that a file has the lines that its state counts; truncating a shorter file would fill it with NULs."""
        found = (self.place / name).stat().st_size
        if found < expected:
            raise DataError.at(
                self.place / name,
                None,
                found=f"{found} bytes",
                expected=f"at least {expected}, which {STATE_FILE} counts",
                advice=f"The file is damaged. Restore it, or remove {self.place} to start from the beginning.",
            )

    def restart(self) -> None:
        """Discard everything and start from the beginning."""
        self.n_lines, self.n_skipped, self.digest = 0, 0, ""
        self._sizes = dict.fromkeys(self.names, 0)
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
        self._sizes = {name: file.tell() for name, file in self._files.items()}
        self._save_state()

    def _save_state(self, **more: Any) -> None:
        state = {
            "origin": self.origin,
            "lines": self.n_lines,
            "skipped": self.n_skipped,
            "digest": self.digest,
            "bytes": self._sizes,
        }
        write_json(self.place / STATE_FILE, state | more)

    def finish(self, stale: Collection[str] = ()) -> list[Path]:
        """Move the files to their directory; until :meth:`forget` is called, a new process finds them complete.

        Args:
            stale: the names of old files to remove, unless they are among the finished ones.

        Returns:
            The paths of the files.
        """
        self._close()
        self._save_state(**{REPLACING: sorted({*self.names, *stale})})
        for name in stale:
            if name not in self.names:
                (self.directory / name).unlink(missing_ok=True)
        for name in self.names:
            (self.place / name).replace(self.directory / name)
        return [self.directory / name for name in self.names]

    def forget(self) -> None:
        """Remove the state that a process needs to resume."""
        shutil.rmtree(self.place)
