"""Standard output whose errors say what could not be written, and what to do next."""

from __future__ import annotations

import io
import sys
from typing import Any

from typing_extensions import override


def name_errors_of_output() -> None:
    """Let writing to standard output raise errors that name it, whatever writes to it.

    Nothing changes where the program that calls kiwi has replaced it, or where it is closed.
    """
    output = sys.stdout
    if not isinstance(output, io.TextIOWrapper):
        return
    is_unbuffered = isinstance(output.buffer, io.FileIO)
    if type(output.buffer if is_unbuffered else getattr(output.buffer, "raw", None)) is not io.FileIO:
        return
    output.flush()
    raw = _Output(output.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        raw if is_unbuffered else io.BufferedWriter(raw),
        encoding=output.encoding,
        errors=output.errors,
        line_buffering=output.line_buffering,
        write_through=output.write_through,
    )


def flush_after_command() -> None:
    """Write what is left in the buffer of standard output, when the command has finished."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if isinstance(raw, _Output):
        raw.is_command_finished = True
    sys.stdout.flush()


class _Output(io.FileIO):
    """A file without a buffer, which takes no more after an error, so that one error is shown."""

    is_command_finished = False
    """Whether the command has nothing left to do, so that an error does not stop it."""

    _has_failed = False

    @override
    def write(self, data: Any) -> Any:
        """Write data.

        Raises:
            BrokenPipeError: when the reader has closed the pipe.
            WriteError: when it cannot be written for another reason.
        """
        size = memoryview(data).nbytes
        if self._has_failed or not size:  # Click writes nothing, to find out whether a file takes bytes
            return size
        try:
            return super().write(data)
        except BrokenPipeError:
            self._has_failed = True
            raise
        except OSError as error:
            from kiwi.exceptions import WriteError
            from kiwi.utils.staging import ADVICE

            self._has_failed = True
            code = error.errno or 0
            advice = ADVICE.get(code, "Redirect it to another file, or to a pipe")
            outcome = (
                "What the command has written into files or directories of its own is complete"
                if self.is_command_finished
                else "The command was stopped before its end"
            )
            raise WriteError(
                f"Standard output cannot be written: {error.strerror}. {advice}. {outcome}.", code
            ) from error
