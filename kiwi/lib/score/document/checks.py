"""Checks before a document is scored: that its options fit, and that nothing is written over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import IO

from kiwi.data.documents.copies import check_copy_name
from kiwi.data.documents.formats import Format
from kiwi.data.segments.bad_rows import OnBad
from kiwi.exceptions import ConfigError
from kiwi.lib.score.document.options import DocumentOptions
from kiwi.utils.guard import Guard


def check_options(
    path: Path, output: Path | IO[bytes], form: Format, what: DocumentOptions, on_bad: OnBad, rejects: Path | None
) -> None:
    """Check that the options fit the format of the document, and each other.

    Raises:
        ConfigError: when they do not.
    """
    what.check(path, form)
    if not isinstance(output, Path) and not (form.is_table and form.is_text):
        raise ConfigError(f"{path} is {form.name}, which is copied with its scores. Add -o FILE.")
    if on_bad == "skip" and not form.can_skip:
        raise ConfigError(f"--on-bad skip: a copy of {form.name} has all segments of the file. Choose nan or stop.")
    if isinstance(output, Path):
        check_copy_name(path, output)
    if rejects is not None and on_bad == "stop":
        raise ConfigError("--rejects needs --on-bad nan or skip, because stop writes nothing. Remove one of the two.")


def check_files(reads: Collection[Path], written: Sequence[Path], output: Path | IO[bytes], *, overwrite: bool) -> None:
    """Check that nothing is written over that is read, or that kiwi has not written.

    Raises:
        ConfigError: when something would be.
    """
    guard = Guard(reads, overwrite, "--overwrite")
    guard.check(written)
    if not isinstance(output, Path):
        guard.check_stream(output)
