"""The exceptions that kiwi raises on purpose; each class has an exit code for the command line."""

from __future__ import annotations

from copy import copy
from typing import Self

from typing_extensions import override

from kiwi.utils.display import shown


class KiwiError(Exception):
    """The base class of all errors that a user can fix.

    Its text shows neither the secrets of URIs nor control characters, whatever the names of files contain.
    """

    exit_code = 1

    @override
    def __str__(self) -> str:
        return shown(super().__str__())


class ConfigError(KiwiError):
    """An invalid configuration; the message lists every mistake with its dotted path."""

    exit_code = 2


class MalformedError(ConfigError):
    """A file that can be read, but is no YAML or JSON that kiwi accepts."""


class UnfitPolicyError(ConfigError):
    """A policy that another system was meant for than the one that is to be used."""


class Argument(str):
    """The name of an argument with one value per segment, which stands in the place of a file in errors."""

    __slots__ = ()


class DataError(KiwiError):
    """Invalid data; the message names the place, what was found and what was expected."""

    exit_code = 3

    reason = ""
    """The message without the place, for errors that :meth:`at` has made."""

    line: int | None = None
    """The number of the line or the segment, for errors about one that :meth:`at` has made."""

    @classmethod
    def at(cls, path: object, line: int | None, *, found: str, expected: str, advice: str = "") -> Self:
        """Return an error at a line of a file, counted from 1, or in the whole file if ``line`` is None.

        Where an :class:`Argument` stands in the place of the file, the error names the segment instead of the line.
        """
        unit = "segment" if isinstance(path, Argument) else "line"
        place = f"{path}" if line is None else f"{path}, {unit} {line}"
        reason = f"found {found}; expected {expected}." + (f" {advice}" if advice else "")
        error = cls(f"{place}: {reason}")
        error.reason, error.line = reason, line
        return error

    def moved(self, path: object, line: int) -> Self:
        """Return the same error at another line, for errors that :meth:`at` has made."""
        error = type(self)(f"{path}, line {line}: {self.reason}")
        error.reason, error.line = self.reason, line
        return error

    def with_advice(self, advice: str) -> Self:
        """Return the same error with a further next step."""
        error = copy(self)
        error.args = (f"{self} {advice}",)
        error.reason = f"{self.reason} {advice}"
        return error


class ColumnError(DataError):
    """A table that does not have the columns that were named, or has one of them several times."""

    @property
    def is_of_table(self) -> bool:
        """Whether the error is about the whole table, not about a row that lacks a column, as one of JSON Lines may."""
        return self.line is None or self.line == 1


class MissingColumnError(ColumnError):
    """A table without a column that was named."""

    column = ""
    """The name of the column."""

    def of_table(self) -> Self:
        """Return the same error about the whole table, which leaving out bad rows would not help."""
        error = copy(self)
        error.line = None
        return error


class CheckpointError(KiwiError):
    """A checkpoint that is missing, damaged or incompatible."""

    exit_code = 4


class WriteError(KiwiError, OSError):
    """A file or directory that cannot be written; any previous version of it is unchanged.

    Args:
        message: the message, which names the path and the next step.
        code: the code of the operating system's error, such as ``errno.ENOSPC``.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.errno = code


class MissingExtraError(KiwiError):
    """A library of an optional extra that is not installed."""


class MissingNameError(MissingExtraError, AttributeError):
    """A public name of the package whose extra is not installed; ``hasattr`` is false for it."""


class StoppedError(KiwiError):
    """A run that was stopped by a signal; the message says how to resume it.

    Args:
        message: the message for the user.
        signal_number: the number of the signal.
    """

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number  # the convention of shells


class PrunedError(StoppedError):
    """A run that was pruned early because other runs do better; the message says how to resume it nevertheless."""

    def __init__(self, message: str) -> None:
        KiwiError.__init__(self, message)
        self.exit_code = KiwiError.exit_code
