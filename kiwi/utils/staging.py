"""Atomic writes of files and directories, which survive crashes of the process, full disks and power failures."""

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

from kiwi.exceptions import WriteError

if sys.platform != "win32":
    import fcntl

SUFFIX = ".kiwi-part"
"""The suffix of staging directories, which are named ``.NAME.1a2b3c4d.kiwi-part`` and lie beside ``NAME``."""

STAGING = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}" + re.escape(SUFFIX), re.DOTALL)

FORMER = "former"
"""The name of the previous content in a staging directory, where two directories cannot be exchanged atomically."""


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Provide a path beside ``path`` to write a file or directory, which replaces ``path`` when the block succeeds.

    The previous content of ``path`` remains until the new content is complete and on the disk. When the block fails,
    the staged content is removed and ``path`` is unchanged. Leftovers of killed processes beside ``path`` are removed;
    files of running processes are not touched.

    Args:
        path: the file or directory to write; links are followed.

    Raises:
        WriteError: when there is no space, no permission, or something of another kind at ``path``.
    """
    path = Path(path)
    with named_errors(path):
        path = path.resolve()  # replace what a link points to, not the link
        path.parent.mkdir(parents=True, exist_ok=True)
        # Content inside another staged directory is swapped in and synced to the disk with that directory.
        is_part = any(STAGING.fullmatch(parent.name) for parent in path.parents)
        if not is_part:
            clear_leftovers(path.parent)
        with _staging_directory(path) as directory:
            stage = directory / ("content" if path.name == FORMER else path.name)
            yield stage
            _apply_umask(stage)
            if not is_part:
                _sync(stage)
            _swap_in(stage, path)
            if not is_part:
                _sync_directory(path.parent)


@contextmanager
def _staging_directory(path: Path) -> Iterator[Path]:
    """Create a directory beside ``path``, which is locked while the block runs."""
    while True:
        directory = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{SUFFIX}")
        directory.mkdir()
        held = lock(directory, wait=True)
        if directory.is_dir():
            break
        unlock(held)  # another process has removed it as a leftover, just before it was locked
    try:
        yield directory
    finally:
        try:
            _remove(directory, path)
        finally:
            unlock(held)


def clear_leftovers(place: Path) -> None:
    """Remove the staging directories of killed processes from a directory.

    Args:
        place: the directory.
    """
    for directory in place.glob(f".*{SUFFIX}"):
        found = STAGING.fullmatch(directory.name)
        if found is None or directory.is_symlink() or (held := lock(directory, wait=False)) is None:
            continue
        try:
            with suppress(OSError):  # a directory of another user, who has to remove it
                _remove(directory, place / found["name"])
        finally:
            unlock(held)


def _remove(directory: Path, path: Path) -> None:
    """Remove a staging directory, and restore the previous content if a swap was interrupted between its two steps."""
    if (directory / FORMER).exists() and not path.exists():
        (directory / FORMER).replace(path)
    shutil.rmtree(directory, ignore_errors=True)  # the next write removes what is left


def lock(directory: Path, *, wait: bool, must: bool = False) -> int | None:
    """Lock a directory; the operating system releases the lock when the process ends, even if it is killed.

    Args:
        directory: the directory.
        wait: whether to wait until another process releases it.
        must: whether to raise an error when another process holds it.

    Raises:
        BlockingIOError: when ``must`` is set and another process holds the lock.

    Returns:
        The lock; None if the directory does not exist, is locked, or is on a file system without locks.
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
    """Release a lock that :func:`lock` has returned."""
    if held is not None:
        os.close(held)


def _apply_umask(stage: Path) -> None:
    """Set the permissions of files from the user's umask, because some libraries write files for the owner only."""
    umask = os.umask(0)
    os.umask(umask)
    for file in [path for path in stage.rglob("*") if path.is_file()] if stage.is_dir() else [stage]:
        file.chmod(0o666 & ~umask)


def _sync(stage: Path) -> None:
    """Wait until all content is on the disk, because a rename may get there before the content."""
    for file in [path for path in stage.rglob("*") if path.is_file()] if stage.is_dir() else [stage]:
        with file.open("rb") as content:
            os.fsync(content.fileno())
    if stage.is_dir():
        for directory in (stage, *(path for path in stage.rglob("*") if path.is_dir())):
            _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some file systems cannot sync directories
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap_in(stage: Path, path: Path) -> None:
    if path.is_dir() != stage.is_dir() and path.exists():
        raise OSError(errno.EEXIST, f"a {'directory' if path.is_dir() else 'file'} already exists")
    if not path.is_dir():
        stage.replace(path)
        return
    # A non-empty directory cannot be replaced in one step, so exchange the two and remove the former one.
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
    """Exchange two directories atomically; return False where the system or the file system does not support it."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code), str(other))


# The advice for errors of the operating system.

NO_SPACE = "Free some space, or choose another file system"
NO_PERMISSION = "Choose a directory that you may write to"
NO_DIRECTORY = "Choose another path, or move the existing file or directory"

ADVICE = {
    errno.ENOSPC: NO_SPACE,
    errno.EDQUOT: NO_SPACE,
    errno.EFBIG: "Raise the limit (ulimit -f), or choose a file system that allows files of this size",
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.EROFS: NO_PERMISSION,
    errno.EEXIST: NO_DIRECTORY,
    errno.ENOTDIR: NO_DIRECTORY,
    errno.ELOOP: NO_DIRECTORY,
    errno.ENAMETOOLONG: "Choose a shorter path",
    errno.EIO: "Check the disk, or choose another one",
}

RUST_ERROR = re.compile(r"\(os error (\d+)\)")
"""The error code of the operating system in messages of libraries written in Rust, such as safetensors."""


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn errors of writing into errors that name the path and the next step; other errors pass unchanged.

    Raises:
        WriteError: when writing fails with a code of :data:`ADVICE`.
    """
    try:
        yield
    except WriteError:
        raise  # already named, for a part of the path
    except Exception as error:
        known = error if isinstance(error, OSError) else None
        found = RUST_ERROR.search(str(error))
        code = known.errno if known is not None else int(found[1]) if found else None
        if code not in ADVICE or (known is not None and not _concerns(known, path)):
            raise
        reason = known.strerror if known is not None and known.strerror else os.strerror(code)
        raise WriteError(
            f"{path}: cannot be written: {reason}. {ADVICE[code]}. Any previous content is unchanged.", code
        ) from error


def _concerns(error: OSError, path: Path) -> bool:
    """Return whether an error concerns writing ``path``, rather than reading another file for it."""
    if not isinstance(error.filename, str):
        return True  # an error of an open file; reading does not cause any of these errors
    own, concerned = Path(os.path.realpath(path)), Path(os.path.realpath(error.filename))
    return own.parent in (concerned, *concerned.parents) or concerned in own.parents
