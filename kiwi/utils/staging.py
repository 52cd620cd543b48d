"""Files and directories that appear whole or not at all, whatever happens to the process, the disk or the power."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kiwi.exceptions import ConfigError, WriteError

if sys.platform != "win32":
    import fcntl

SUFFIX = ".kiwi-part"
"""Ends the names of the directories that things are staged in: ``.NAME.1a2b3c4d.kiwi-part``, beside ``NAME``."""

STAGING = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}" + re.escape(SUFFIX), re.DOTALL)

FORMER = "former"
"""Name in such a directory of what stood at the path before, where two things cannot be exchanged in one step."""


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A place beside ``path`` to write a file or a directory; swapped in when the block ends well.

    Whatever stood at ``path`` before stays whole until the new content is complete and on the disk. When the block
    fails, the staged content is removed and ``path`` is left as it was. What killed processes have left beside
    ``path`` is cleared away; what living ones are writing is not touched.

    Args:
        path: of the file or directory to write. A link is followed.

    Raises:
        WriteError: when there is no room, no permission, or something of another kind at ``path``.
    """
    path = Path(path)
    with named_errors(path):
        path = path.resolve()  # what a link points to is replaced, not the link
        path.parent.mkdir(parents=True, exist_ok=True)
        # What is written inside of something staged is swapped in, and brought to the disk, with the whole.
        is_part = any(STAGING.fullmatch(parent.name) for parent in path.parents)
        if not is_part:
            clear_leftovers(path.parent)
        with _staging_directory(path) as directory:
            stage = directory / ("content" if path.name == FORMER else path.name)
            yield stage
            _open_to_others(stage)
            if not is_part:
                _to_disk(stage)
            _swap_in(stage, path)
            if not is_part:
                _directory_to_disk(path.parent)


@contextmanager
def _staging_directory(path: Path) -> Iterator[Path]:
    """A new directory beside ``path``, locked as long as this process lives and the block runs."""
    while True:
        directory = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{SUFFIX}")
        directory.mkdir()
        held = lock(directory, wait=True)
        if directory.is_dir():
            break
        unlock(held)  # cleared away as a leftover, in the moment before it was locked
    try:
        yield directory
    finally:
        try:
            _remove(directory, path)
        finally:
            unlock(held)


def clear_leftovers(place: Path) -> None:
    """Remove what killed processes were writing in a directory.

    Args:
        place: the directory.
    """
    for directory in place.glob(f".*{SUFFIX}"):
        found = STAGING.fullmatch(directory.name)
        if found is None or directory.is_symlink() or (held := lock(directory, wait=False)) is None:
            continue
        try:
            with suppress(OSError):  # another user's, which is for that user to clear away
                _remove(directory, place / found["name"])
        finally:
            unlock(held)


def _remove(directory: Path, path: Path) -> None:
    """Remove what was staged for a path, and put back what stood there if a swap has ended between its two steps."""
    if (directory / FORMER).exists() and not path.exists():
        (directory / FORMER).replace(path)
    shutil.rmtree(directory, ignore_errors=True)  # what cannot be removed now is a leftover for the next write


def lock(directory: Path, *, wait: bool, must: bool = False) -> int | None:
    """Lock a directory; the system gives it free when the process ends, however it ends.

    Args:
        directory: to lock.
        wait: until another process gives it free.
        must: whether it is an error that another process holds it.

    Raises:
        BlockingIOError: as ``must`` says.

    Returns:
        The lock; None if there is no such directory, another process holds it, or the file system has no locks.
    """
    if sys.platform == "win32":
        return None
    descriptor = None
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        unlock(descriptor)
        if must and isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor


def unlock(held: int | None) -> None:
    """Give a lock free that :func:`lock` has returned."""
    if held is not None:
        os.close(held)


def _open_to_others(stage: Path) -> None:
    """Give files the permissions that the user's umask says; some libraries write theirs for the owner alone."""
    umask = os.umask(0)
    os.umask(umask)
    for file in [path for path in stage.rglob("*") if path.is_file()] if stage.is_dir() else [stage]:
        file.chmod(0o666 & ~umask)


def _to_disk(stage: Path) -> None:
    """Wait until everything is on the disk; a rename may get there before the content of what is renamed."""
    for file in [path for path in stage.rglob("*") if path.is_file()] if stage.is_dir() else [stage]:
        with file.open("rb") as content:
            os.fsync(content.fileno())
    if stage.is_dir():
        for directory in (stage, *(path for path in stage.rglob("*") if path.is_dir())):
            _directory_to_disk(directory)


def _directory_to_disk(directory: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some file systems have nothing of a directory to bring to the disk
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap_in(stage: Path, path: Path) -> None:
    if path.is_dir() != stage.is_dir() and path.exists():
        raise OSError(errno.EEXIST, f"a {'directory' if path.is_dir() else 'file'} is there already")
    if not path.is_dir():
        stage.replace(path)
        return
    # Neither is a directory replaced in one step, nor is it empty: exchange the two, and remove the former one.
    if _exchange(stage, path):
        return
    former = stage.with_name(FORMER)
    path.replace(former)
    try:
        stage.replace(path)
    except OSError:
        former.replace(path)
        raise


_RENAME_EXCHANGE, _AT_FDCWD = 2, -100  # of linux/fs.h and fcntl.h


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two directories in one step; False where the system or the file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code), str(other))


# What a user can do about it.

NO_ROOM = "Make room, or name a place that has some"
NO_PERMISSION = "Name a directory that you may write to"
NO_DIRECTORY = "Name another place, or move what is in the way"

ADVICE = {
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
    errno.EFBIG: "Raise the limit (ulimit -f), or name a file system that takes files of this size",
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.EROFS: NO_PERMISSION,
    errno.EEXIST: NO_DIRECTORY,
    errno.ENOTDIR: NO_DIRECTORY,
    errno.ELOOP: NO_DIRECTORY,
    errno.ENAMETOOLONG: "Name a shorter path",
    errno.EIO: "Check the disk, or name a place on another",
}

OF_RUST = re.compile(r"\(os error (\d+)\)")
"""How libraries that are written in Rust, safetensors among them, say which error of the system they met."""


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Errors of writing as errors that name the path and the next step; others pass."""
    try:
        yield
    except WriteError:
        raise  # of a part
    except Exception as error:
        known = error if isinstance(error, OSError) else None
        found = OF_RUST.search(str(error))
        code = known.errno if known is not None else int(found[1]) if found else None
        if code not in ADVICE or (known is not None and not _concerns(known, path)):
            raise
        reason = known.strerror if known is not None and known.strerror else os.strerror(code)
        raise WriteError(
            f"{path}: cannot be written: {reason}. {ADVICE[code]}. What was there before is as it was.", code
        ) from error


def _concerns(error: OSError, path: Path) -> bool:
    """Whether an error is of writing ``path``, and not of something that is read for it."""
    if not isinstance(error.filename, str):
        return True  # of an open file; those that are read meet none of these errors
    own, concerned = Path(os.path.realpath(path)), Path(os.path.realpath(error.filename))
    return own.parent in (concerned, *concerned.parents) or concerned in own.parents


def require_new_directory(path: Path) -> None:
    """Refuse to write a directory where there is something already.

    Raises:
        ConfigError: when there is a file, or a directory that is not empty.
    """
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise ConfigError(f"{path}: already exists; name a new or empty directory, or remove it.")
