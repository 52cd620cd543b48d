"""Changes to what a checkpoint or an exported system says of itself."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kiwi import constants as const
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.manifest.checkpoint import (
    CARD_FILE,
    CONFIG_FILE,
    EXPORT_FILE,
    WEIGHTS_FILE,
    CheckpointInfo,
)
from kiwi.systems.manifest.export import is_export, read_any_info, read_export_info
from kiwi.systems.manifest.locations import check_not_installed
from kiwi.utils.io import write_json
from kiwi.utils.sealed import SUMS_FILE, SealedDirectory, carry, seal
from kiwi.utils.staging import staged
from kiwi.utils.structured.writing import write_yaml

logger = logging.getLogger(__name__)


def set_score_meaning(path: Path, meaning: ScoreMeaning) -> None:
    """Write into a checkpoint or an exported system what its scores mean; its fingerprint changes.

    Args:
        path: its directory, which is replaced atomically.
        meaning: what the scores mean.

    Raises:
        CheckpointError: when it is damaged, or of format 1.
        ConfigError: when it predicts no score, or is in an installed package.
        WriteError: when the directory cannot be written.
    """
    check_not_installed(path, "Change a copy, which kiwi publish MODEL DIRECTORY makes.")
    info = read_info(path)
    if const.SENTENCE_SCORES not in info.outputs:
        raise ConfigError(f"{path}: predicts {', '.join(info.outputs)}, and no score, whose meaning could be set.")
    rewrite(path, _with_meaning(info, meaning))


def read_info(path: Path) -> CheckpointInfo:
    """Return what a checkpoint says of itself, or an exported system of its checkpoint.

    Raises:
        CheckpointError: when it is damaged, or of format 1, which cannot be changed.
    """
    info = read_any_info(path)
    if SealedDirectory.open(path).sums is None:
        raise CheckpointError(f"{path}: found format 1, which has no {SUMS_FILE}. Load it and save it first.")
    return info


def rewrite(
    path: Path,
    info: CheckpointInfo,
    *,
    directory: Path | None = None,
    write_weights: Callable[[Path], None] | None = None,
) -> None:
    """Write what a checkpoint or an exported system says of itself; its fingerprint changes, other files do not.

    Args:
        path: its directory.
        info: what it says of itself; for an exported system, what that says of its checkpoint.
        directory: the directory to write atomically; by default, that of the system.
        write_weights: what writes the file of weights, if these change too.

    Raises:
        CheckpointError: when it is damaged.
        WriteError: when the directory cannot be written.
    """
    path = path.resolve()
    export = read_export_info(path)[0] if is_export(path) else None
    sealed = SealedDirectory.open(path)
    sealed.check_all()
    place = _link if directory is None else _copy
    changed = {CONFIG_FILE if export is None else EXPORT_FILE} | (set() if write_weights is None else {WEIGHTS_FILE})
    with staged(directory or path) as stage:
        for name in sealed.own:
            if name not in changed:
                place(path / name, stage / name)
        if export is None:
            write_yaml(stage / CONFIG_FILE, info.to_dict())
        else:
            write_json(stage / EXPORT_FILE, replace(export, checkpoint=info).to_dict())
        if write_weights is not None:
            write_weights(stage / WEIGHTS_FILE)
        seal(stage)
        if (path / CARD_FILE).is_file():
            place(path / CARD_FILE, stage / CARD_FILE)
        is_same = SealedDirectory.open(stage).sha256 == sealed.sha256
        for name in (sealed.sums or {}).keys() - sealed.own:
            if is_same:
                carry(stage, name, (path / name).read_bytes())
            else:
                logger.warning(
                    "%s: %s was for the fingerprint that it had before, and is removed.", directory or path, name
                )


def _with_meaning(info: CheckpointInfo, meaning: ScoreMeaning) -> CheckpointInfo:
    known = info.data.score
    if known is not None and (known.kind, known.range) == (meaning.kind, meaning.range):
        meaning = replace(meaning, mean=known.mean, deviation=known.deviation)
    return replace(info, data=replace(info.data, score=meaning))


def _link(file: Path, copy: Path) -> None:
    """Make a file appear in another directory, without its content being written again where that is possible."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, copy)
    except OSError:
        shutil.copyfile(file, copy)


def _copy(file: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, copy)
