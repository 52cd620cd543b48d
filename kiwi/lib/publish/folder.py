"""Write a trained system for the Hugging Face hub, or as a Python package, with a model card: ``kiwi publish``."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.publish.package import DEFAULT_VERSION, PackageOptions
from kiwi.systems.manifest.carried import carry_policy, check_policy
from kiwi.systems.manifest.checkpoint import CARD_FILE
from kiwi.systems.manifest.locations import resolve_run_directory
from kiwi.systems.manifest.model_card import model_card, read_run_configuration
from kiwi.utils.guard import require_new_directory
from kiwi.utils.io import staged, write_text
from kiwi.utils.sealed import SUMS_FILE, SealedDirectory
from kiwi.utils.written import user_path

logger = logging.getLogger(__name__)

HUB_NAME_PART = re.compile(r"(?!.*(--|\.\.))\b[\w.-]{1,96}\b", re.ASCII)
"""The form of the name of an organization or a repository on the hub."""


def publish(
    checkpoint: str | Path,
    directory: str | Path,
    *,
    name: str | None = None,
    licence: str | None = None,
    package: str | None = None,
    package_version: str | None = None,
    policy: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Check a checkpoint or an exported system, and copy it together with a model card; nothing is uploaded.

    Args:
        checkpoint: the directory of a checkpoint, of a run, whose best model is used, or of an exported system.
        directory: the directory to write atomically; it must not exist, or be empty.
        name: the name of the system on the hub, ``organization/name``; by default, the name of the directory.
        licence: the licence of the system in the hub's notation, such as ``apache-2.0``; of a package, as an SPDX
            expression.
        package: the name of the Python package to write instead of a folder for the hub, such as
            ``kiwi-qe-medical``; once installed, the model ``medical`` is found by its name.
        package_version: the version of the package; by default, 0.1.0.
        policy: the policy that the copy carries; by default, the one that the system carries already, if any.
        overwrite: whether the directory may replace a checkpoint or an export, or an earlier package of the same name.

    Returns:
        The directory.

    Raises:
        CheckpointError: when there is no checkpoint, or it is damaged, or of format 1.
        ConfigError: when the directory is not empty, the name on the hub, or the name, version or licence of the
            package is invalid, or the policy was made for another system or is withdrawn.
        DataError: when the policy is none.
        WriteError: when the directory cannot be written.
    """
    directory = user_path(directory)
    if package is None and package_version is not None:
        raise ConfigError(f"--package-version: found {package_version} without --package. Add it, or remove this.")
    if name is not None:
        _check_hub_name(name)
    packaging = None if package is None else PackageOptions(package, package_version or DEFAULT_VERSION, licence)
    path = resolve_run_directory(checkpoint)
    file = None if policy is None else user_path(policy)
    require_new_directory(
        directory,
        overwrite=overwrite,
        reads=[path, *([] if file is None else [file])],
        sealed="." if packaging is None else packaging.system_directory(Path()).as_posix(),
        beside=[CARD_FILE] if packaging is None else packaging.files,
    )
    found = inspect_checkpoint(path)
    carried = found.policy if file is None else check_policy(file, found.fingerprint)
    sealed = SealedDirectory.open(path)
    if sealed.sums is None:
        raise CheckpointError(f"{path}: found format 1, which has no {SUMS_FILE}. Load it and save it first.")
    card = model_card(
        found.info,
        name or (directory.resolve().name if packaging is None else packaging.model),
        run=read_run_configuration(path),
        licences=found.licences,
        licence=licence,
        export=found.export,
        policy=carried,
    )
    with staged(directory) as stage:
        system = stage if packaging is None else packaging.system_directory(stage)
        _copy(path, [*sealed.sums, SUMS_FILE], system)
        if file is not None:
            carry_policy(system, file)
        write_text(stage / CARD_FILE, card)
        if packaging is not None:
            packaging.write(stage)
    if packaging is None:
        logger.info("Wrote %s. To upload it: hf upload %s %s", directory, name or "ORGANIZATION/NAME", directory)
    else:
        how = f"To install it: pip install {directory}; then use it: kiwi score -m {packaging.model}"
        logger.info("Wrote %s. %s", directory, how)
    return directory


def _check_hub_name(name: str) -> None:
    """Check that the hub takes a name, which the model card shows in its examples.

    Raises:
        ConfigError: when it does not.
    """
    parts = name.split("/")
    if len(parts) > 2 or name.endswith(".git") or not all(map(HUB_NAME_PART.fullmatch, parts)):
        raise ConfigError(
            f"--name: found '{name}'; expected ORGANIZATION/NAME or NAME, as the Hugging Face hub takes them: each of "
            "at most 96 letters, digits, '-', '_' and '.', without '-' or '.' at either end, '--', '..', or '.git' at "
            "the end of NAME, such as organization/medical."
        )


def _copy(path: Path, names: Iterable[str], directory: Path) -> None:
    """Copy the files of a system into a new directory."""
    directory.mkdir(parents=True)
    for each in names:
        (directory / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path / each, directory / each)
