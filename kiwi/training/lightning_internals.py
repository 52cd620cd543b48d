"""The private or undocumented parts of Lightning that training relies on; nothing else in kiwi uses such parts.

They were tested with Lightning 2.6 (2.6.6), see :data:`TESTED_WITH`. When another version changes them, the tests of
this module fail.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import Any

import lightning
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar
from typing_extensions import override

from kiwi.training.devices import is_first_process

logger = logging.getLogger(__name__)

TESTED_WITH = ("2.6",)
"""The minor versions of Lightning that this module was tested with, oldest first."""


@cache
def warn_if_untested() -> None:
    """Log a warning, once, when the installed minor version of Lightning is newer than the newest tested one."""
    if is_first_process() and _minor_version(lightning.__version__) > _minor_version(TESTED_WITH[-1]):
        logger.warning(
            "Found Lightning %s; training was tested with Lightning %s. If training or trainer.resume fails, install "
            "lightning==%s.*.",
            lightning.__version__,
            ", ".join(TESTED_WITH),
            TESTED_WITH[-1],
        )


def _minor_version(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


class ProgressBar(RichProgressBar):
    """A progress bar that counts epochs from 1, as everything else in kiwi; Lightning's counts from 0."""

    @override
    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch + 1}/{self.trainer.max_epochs}".ljust(len(self.validation_description))


def is_logging_step(trainer: Trainer) -> bool:
    """Return whether Lightning passes metrics of the current training step to the loggers.

    Needed because logging a value takes Lightning a millisecond, even at the many steps whose values it discards.
    """
    return trainer._logger_connector.should_update_logs


def rewind_to_batch_start(checkpoint: dict[str, Any]) -> dict[str, int]:
    """Change a checkpoint that was made before a batch so that a resumed run starts with that batch.

    Needed because Lightning has already counted the batch as started: it would count it twice, and might take it for
    the last one of the epoch.

    Returns:
        The counters that a run needs to resume: ``batches``, those completed in this epoch, and
        ``batches_that_stepped``, see :func:`restore_counters`.
    """
    loops = checkpoint["loops"]["fit_loop"]
    progress = loops["epoch_loop.batch_progress"]
    progress["is_last_batch"] = False
    for counts in (progress["total"], progress["current"]):
        counts["ready"] = counts["completed"]
    return {
        "batches": progress["current"]["completed"],
        "batches_that_stepped": loops["epoch_loop.state_dict"]["_batches_that_stepped"],
    }


def restore_counters(trainer: Trainer, batches_that_stepped: int) -> None:
    """Set the counters of a resumed run, before its first batch, to what they were when its state was saved.

    Needed for two reasons. Lightning's own checkpoints are made at the end of a batch, so that on resuming it adds one
    to the step under which metrics are logged. And until the end of the epoch it regards the run as restarting and
    skips a plateau schedule, because it does not restore the metrics; kiwi does.

    Args:
        trainer: the trainer of the resumed run.
        batches_that_stepped: the counter that :func:`rewind_to_batch_start` has returned.
    """
    trainer.fit_loop.epoch_loop._batches_that_stepped = batches_that_stepped
    trainer.fit_loop.restarting = False
