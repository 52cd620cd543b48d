"""Everything that kiwi raises on purpose; each class has the exit code of the command line."""

from __future__ import annotations


class KiwiError(Exception):
    """Base of all errors that a user can mend."""

    exit_code = 1


class ConfigError(KiwiError):
    """A configuration that cannot run; its message lists every mistake with its dotted path."""

    exit_code = 2


class DataError(KiwiError):
    """Data that cannot be used; its message names the place, what was found and what was expected."""

    exit_code = 3

    reason = ""
    """The message without the place, where it is one of a place."""

    @classmethod
    def at(cls, path: object, line: int | None, *, found: str, expected: str, advice: str = "") -> DataError:
        """An error at one place of one file; ``line`` counts from 1, None means the whole file."""
        place = f"{path}" if line is None else f"{path}, line {line}"
        reason = f"found {found}; expected {expected}." + (f" {advice}" if advice else "")
        error = cls(f"{place}: {reason}")
        error.reason = reason
        return error


class CheckpointError(KiwiError):
    """A checkpoint that is not there, is damaged, or does not fit."""

    exit_code = 4


class WriteError(KiwiError, OSError):
    """Something that cannot be written; what was there before is as it was.

    Args:
        message: naming the path and the next step.
        code: of the system's error, such as ``errno.ENOSPC``.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.errno = code


class MissingExtraError(KiwiError):
    """A library of an optional extra is not installed."""


class StoppedError(KiwiError):
    """A signal has stopped a run; its message says how to go on.

    Args:
        message: for the user.
        signal_number: of the signal.
    """

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number  # as shells have it


class PrunedError(StoppedError):
    """Who watches a run has ended it early, because others do better; its message says how to go on all the same."""

    def __init__(self, message: str) -> None:
        KiwiError.__init__(self, message)
        self.exit_code = KiwiError.exit_code
