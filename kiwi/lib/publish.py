"""Write a trained system as a folder for the Hugging Face hub, with a model card: ``kiwi publish``."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from kiwi.exceptions import CheckpointError
from kiwi.lib.inspect import best_of, inspect_checkpoint
from kiwi.systems.manifest.model_card import model_card, read_run_configuration
from kiwi.systems.pretrained.hub import CARD_FILE
from kiwi.utils.io import staged, write_text
from kiwi.utils.sealed import SUMS_FILE, SealedDirectory
from kiwi.utils.staging import require_new_directory

logger = logging.getLogger(__name__)


def publish(
    checkpoint: str | Path, directory: str | Path, *, name: str | None = None, licence: str | None = None
) -> Path:
    """Copy a checkpoint or an exported system, whose files are checked, with a model card; nothing is sent anywhere.

    Args:
        checkpoint: a directory, or that of a run, whose best model is taken, or that of an exported system.
        directory: to write, whole or not at all; must not be there yet, or be empty.
        name: of the system on the hub, ``organization/name``; the name of the directory if not given.
        licence: of the system, as the hub writes it, such as ``apache-2.0``.

    Returns:
        The directory.

    Raises:
        CheckpointError: when there is no checkpoint, or it is damaged, or of format 1.
        ConfigError: for a directory that has something in it.
        WriteError: when it cannot be written.
    """
    directory = Path(directory)
    require_new_directory(directory)
    path = best_of(Path(checkpoint))
    found = inspect_checkpoint(path)
    sealed = SealedDirectory.open(path)
    if sealed.sums is None:
        raise CheckpointError(f"{path}: is of format 1, which has no {SUMS_FILE}; load and save it first.")
    card = model_card(
        found.info,
        name or directory.resolve().name,
        run=read_run_configuration(path),
        licences=found.licences,
        licence=licence,
        export=found.export,
    )
    with staged(directory) as stage:
        stage.mkdir()
        for file in (*sealed.sums, SUMS_FILE):
            (stage / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path / file, stage / file)
        write_text(stage / CARD_FILE, card)
    logger.info("Wrote %s. To upload it: hf upload %s %s", directory, name or "ORGANIZATION/NAME", directory)
    return directory
