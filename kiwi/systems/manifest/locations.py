"""Where trained systems are: in the directories of runs, and in installed Python packages.

A package offers a system through the entry-point group ``kiwi.models``: the name of the entry point is the name of the
model, and its object is the path of the system's directory. ``kiwi publish --package`` writes such a package.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.manifest.checkpoint import BEST_MODEL, CONFIG_FILE, EXPORT_FILE
from kiwi.utils.sealed import SUMS_FILE
from kiwi.utils.written import user_path

logger = logging.getLogger(__name__)

GROUP = "kiwi.models"
"""The entry-point group of installed models."""

DEFAULT_MODEL = "mini"
"""The model that is used when several are installed and none is named."""

OWN_FILES = (CONFIG_FILE, EXPORT_FILE, SUMS_FILE, BEST_MODEL, "model.safetensors", "model.onnx", "run.json")
"""Files of systems and runs: a directory with any of them is one, even if it is damaged or not finished."""

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""The form of a model's name."""


def resolve_run_directory(path: str | Path) -> Path:
    """Return the best model if the path is the directory of a run, else the path itself, with ``~`` expanded.

    The name of an installed model stands for its directory, unless a system or a run is there under this name: a
    directory ``mini`` with anything else in it does not hide the model ``mini``.
    """
    path = user_path(path)
    try:
        if (path / BEST_MODEL / CONFIG_FILE).is_file():
            return path / BEST_MODEL
        if any(os.path.lexists(path / name) for name in OWN_FILES):
            return path
        return find_installed(str(path)) or path
    except (OSError, ValueError):
        return path  # the error is reported when the checkpoint is read


@dataclass(frozen=True)
class InstalledModel:
    """A trained system in an installed package."""

    name: str
    package: str
    version: str
    path: Path
    """The directory of the checkpoint or the exported system."""

    licence: str = ""
    """The licence that the package names, such as ``Apache-2.0 AND MIT``; empty if it names none."""


def installed_models() -> dict[str, InstalledModel]:
    """Return the installed models by name, in alphabetical order; one that cannot be loaded is left out with a warning.

    Raises:
        CheckpointError: when two packages offer models of the same name.
    """
    return _load(metadata.entry_points(group=GROUP))


def _load(entries: Iterable[metadata.EntryPoint]) -> dict[str, InstalledModel]:
    models: dict[str, InstalledModel] = {}
    for model in _load_models(entries):
        other = models.get(model.name)
        if other is not None and other.package != model.package:
            raise CheckpointError(
                f"{model.name}: found this model in two packages, {other.package} and {model.package}. Uninstall one "
                "of them."
            )
        models[model.name] = model
    return models


def _load_models(entries: Iterable[metadata.EntryPoint]) -> Iterator[InstalledModel]:
    for entry in sorted(entries, key=lambda entry: entry.name):
        package, version, licence = _describe(entry)
        try:
            yield InstalledModel(entry.name, package, version, Path(os.fspath(entry.load())), licence)
        except (Exception, SystemExit) as error:  # the code of any package
            logger.warning(
                "%s: the model '%s' cannot be loaded: %s: %s. Reinstall or uninstall the package.",
                *(package, entry.name, type(error).__name__, error),
            )


def _describe(entry: metadata.EntryPoint) -> tuple[str, str, str]:
    """Return the name, the version and the licence of the package of an entry point."""
    if entry.dist is None:
        return entry.module, "", ""
    about = entry.dist.metadata
    licence = next((about[name] for name in ("License-Expression", "License") if name in about), "")
    return entry.dist.name, entry.dist.version, " ".join(licence.split("\n", 1)[0].split())


def check_not_installed(path: Path, advice: str) -> None:
    """Check that a system which is to be changed is not in an installed package, all of whose users share it.

    Args:
        path: the directory of the system.
        advice: what to do instead.

    Raises:
        ConfigError: when it is.
    """
    place = path.resolve()
    for model in _load_models(metadata.entry_points(group=GROUP)):
        if model.path.resolve() == place:
            raise ConfigError(
                f"{model.name}: would be changed, but it is installed, in the package {model.package}. {advice}"
            )


def find_installed(name: str) -> Path | None:
    """Return the directory of an installed model; None if there is none of this name.

    Raises:
        CheckpointError: when two packages offer it.
    """
    if MODEL_NAME.fullmatch(name) is None:
        return None
    entries = metadata.entry_points(group=GROUP)  # reads the metadata of every installed package
    model = _load(entries).get(name) if any(entry.name == name for entry in entries) else None
    return None if model is None else model.path


def default_model() -> str:
    """Return the name of the model that is used when none is named; its path where a directory hides the name.

    Raises:
        ConfigError: when there is none, or several of which none is the default.
    """
    models = installed_models()
    model = models.get(DEFAULT_MODEL) or (next(iter(models.values())) if len(models) == 1 else None)
    if model is not None:
        return model.name if resolve_run_directory(model.name) == model.path else str(model.path)
    if models:
        raise ConfigError(f"model (-m): not given; found several installed models: {', '.join(models)}. Name one.")
    raise ConfigError(
        "model (-m): not given, and no model is installed. Give the directory of a trained or exported system, or its "
        "name on the Hugging Face hub; or install a package with a model, such as kiwi-qe-mini (models/mini of kiwi)."
    )
