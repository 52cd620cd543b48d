"""Explanations of places that have no trained system of kiwi: broken links, and checkpoints of other programs."""

from __future__ import annotations

import zipfile
from itertools import islice
from pathlib import Path

READ = 2**20
"""The number of bytes of a pickle that are searched for names; nothing is unpickled."""

MOST_FILES = 1000

SUFFIXES = (".torch", ".ckpt", ".pt", ".pth", ".bin")
"""The suffixes of files that PyTorch writes."""

COMET = (b"comet", b"encoder_model", b"layerwise_attention", b"word_layer")
"""Names in the hyperparameters of COMET's checkpoints."""


def explain_broken_link(path: Path) -> str | None:
    """Return an explanation of a link to a file that does not exist; None for anything else.

    Args:
        path: the path, which is named in the explanation.
    """
    if not path.is_symlink() or path.exists():
        return None
    return (
        f"{path}: a link to {path.readlink()}, which is not here. Links are copied without their files: copy it with "
        "cp -rL, or with kiwi publish."
    )


def explain_other_program(path: Path) -> str | None:
    """Return an explanation of a checkpoint that OpenKiwi, COMET or another program has pickled; None if it is none.

    Args:
        path: a file, or a directory.
    """
    for file in _candidates(path):
        content = _pickle_content(file)
        if content is None:
            continue
        if b"kiwi" in content or file.suffix == ".torch":
            return (
                f"{path}: found {file.name}, a checkpoint of OpenKiwi 2.1, which is a pickle; kiwi never loads "
                "pickles, because they can run code. Train the system again: kiwi train reads the configurations "
                "of OpenKiwi 2.1 as they are."
            )
        program = "COMET" if any(name in content for name in COMET) else "another program"
        return (
            f"{path}: found {file.name}, a pickled PyTorch checkpoint of {program}; kiwi loads its own checkpoints "
            "only, and never pickles, because they can run code. Train a system with kiwi train, or score with the "
            "program that wrote it."
        )
    return None


def _candidates(path: Path) -> list[Path]:
    """Return the file itself, or the files of a directory and its ``checkpoints`` that PyTorch may have written."""
    if path.is_file():
        return [path]
    files = [file for folder in (path, path / "checkpoints") if folder.is_dir() for file in _some_files(folder)]
    return [file for file in sorted(files) if file.suffix in SUFFIXES and file.is_file()]


def _some_files(folder: Path) -> list[Path]:
    try:
        return list(islice(folder.iterdir(), MOST_FILES))
    except OSError:
        return []  # reading it will report the error


def _pickle_content(file: Path) -> bytes | None:
    """Return the beginning of the pickle in a file that PyTorch has written; None for a file of another kind."""
    try:
        with file.open("rb") as content:
            start = content.read(READ)
        if start[:1] == b"\x80" and start[1:2] <= b"\x05":
            return start
        if not start.startswith(b"PK\x03\x04"):
            return None
        with zipfile.ZipFile(file) as archive:
            name = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
            if name is None:
                return None
            with archive.open(name) as pickle:
                return pickle.read(READ)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
        return None
