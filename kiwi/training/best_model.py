"""The name of each checkpoint of a run, and ``best_model``, which is the best one."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kiwi.systems.manifest.checkpoint import BEST_MODEL
from kiwi.utils.staging import staged

logger = logging.getLogger(__name__)

LONGEST_NAME = 200
"""The maximum length of the name of a checkpoint in bytes; file systems allow 255, and staging adds some."""

LARGEST_PLAIN = 1e6
"""The absolute value from which a metric is written with an exponent."""

NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
"""The codes with which systems and file systems refuse to make a symbolic link."""


def name_checkpoint(epoch: int, step: int, metrics: Sequence[str], value: float) -> str:
    """Return the name of a checkpoint, such as ``epoch=1-step=50-val_PEARSON=0.4321``.

    Where the names of several metrics would be too long, the last ones are left out and counted, as in
    ``val_target_tags_MCC+21_more``.

    Args:
        epoch: the epoch, counted from 1.
        step: the number of optimizer steps.
        metrics: the main metrics, without ``val_``.
        value: their sum.
    """
    number = f"{value:.4f}" if abs(value) < LARGEST_PLAIN else f"{value:.4e}"
    for n_listed in range(len(metrics), -1, -1):
        rest = len(metrics) - n_listed
        listed = "+".join([*metrics[:n_listed], *([f"{rest}_more"] if rest else [])])
        name = f"epoch={epoch}-step={step}-val_{listed}={number}"
        if len(name.encode()) <= LONGEST_NAME:
            break
    return name


class BestModel:
    """``best_model`` in the directory of a run: a relative link to the best checkpoint.

    Where the file system has no symbolic links, it is a copy of the checkpoint.

    Args:
        output_dir: the directory of the run.
    """

    def __init__(self, output_dir: Path) -> None:
        self.path = output_dir / BEST_MODEL
        self._has_warned = False

    def point_to(self, checkpoint: Path) -> None:
        """Make it the checkpoint, atomically."""
        if (not self.path.is_dir() or self.path.is_symlink()) and self._link(checkpoint):
            return
        if self.path.is_symlink():
            self.path.unlink()  # or the copy would replace what it points to
        with staged(self.path) as stage:
            shutil.copytree(checkpoint, stage)

    def _link(self, checkpoint: Path) -> bool:
        """Make it a link; return False where there are none."""
        stage = self.path.with_name(f".{BEST_MODEL}.part")
        with suppress(FileNotFoundError):
            stage.unlink()
        try:
            stage.symlink_to(os.path.relpath(checkpoint, self.path.parent), target_is_directory=True)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if not self._has_warned:
                logger.warning(
                    "%s: symbolic links are not supported there (%s); it is a copy of the best checkpoint, which takes "
                    "its size once more.",
                    self.path,
                    error.strerror,
                )
                self._has_warned = True
            return False
        stage.replace(self.path)
        return True

    def remove(self) -> bool:
        """Remove the link, or the copy, and return whether there was one."""
        if self.path.is_symlink():
            self.path.unlink()
        elif self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            return False
        return True
