"""Functions that all pipelines share: configuration files with composition and overrides, logging, seeds."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import resources
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.logging import RichHandler

from kiwi.exceptions import ConfigError
from kiwi.utils.io import did_you_mean, read_structured

logger = logging.getLogger("kiwi")

HANDLER_NAME = "kiwi"

_configuration_files: ContextVar[tuple[Path, ...]] = ContextVar("configuration_files", default=())

PACKAGE_ASSETS = Path(str(resources.files("kiwi"))) / "assets"


def example_configuration(pipeline: str) -> Path:
    """Return the path of the bundled example of a pipeline."""
    return PACKAGE_ASSETS / "config" / f"{pipeline}.yaml"


def load_configuration(filename: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a configuration file, compose its ``defaults``, and apply overrides.

    ``defaults: [- data: wmt20.qe.en_de]`` merges ``data/wmt20.qe.en_de.yaml``, found beside the file, into the top
    level; the file's own options take precedence. Overrides have the form ``key.inner=value``, with the value in YAML;
    ``data=wmt19.qe.en_de`` chooses another file for a group of ``defaults``. ``${...}`` interpolates, and
    ``${_kiwi_assets}`` is the directory of kiwi's bundled files. Top-level keys that start with an underscore are
    variables for interpolation (``_corpus: /data``, then ``${_corpus}/train.src``), not options.

    Args:
        filename: a YAML or JSON file.
        overrides: the overrides in order; the last one wins.

    Returns:
        Plain dictionaries, lists and values.

    Raises:
        ConfigError: when the file or an override cannot be used; the message names it.
    """
    path = Path(filename)
    composed = compose(read_mapping(path), path, overrides)
    return {key: value for key, value in composed.items() if not key.startswith("_")}


def configuration_files() -> tuple[Path, ...]:
    """Return the configuration files that have been read, which no command overwrites."""
    return _configuration_files.get()


def compose(
    options: Mapping[str, Any], path: Path, overrides: Sequence[str] = (), variables: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Compose the ``defaults`` of options and apply overrides; see :func:`load_configuration`.

    Args:
        options: the content of a configuration file.
        path: the path of the file, beside which groups are found.
        overrides: the overrides in order; the last one wins.
        variables: variables for interpolation, which the options may replace.

    Returns:
        Plain dictionaries, lists and values, including the variables.

    Raises:
        ConfigError: when the file or an override cannot be used; the message names it.
    """
    own = dict(options)
    groups = _groups(own.pop("defaults", None) or [], path)
    assignments = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            missing = "key" if equals else "'='"
            raise ConfigError(
                f"Override '{override}': found no {missing}; expected key=value, such as trainer.epochs=5."
            )
        if key in groups:
            groups[key] = value
        else:
            assignments.append(_parse_override(override))
    first = {"_kiwi_assets": str(PACKAGE_ASSETS), **(variables or {})}
    layers = [read_mapping(_group_file(path, group, name)) for group, name in groups.items()]
    try:
        merged = OmegaConf.merge(*map(OmegaConf.create, [first, *layers, own]))
        for key, value in assignments:
            # A mapping is merged into the present one; any other value replaces it.
            OmegaConf.update(merged, key, value, merge=True, force_add=True)
        plain = OmegaConf.to_container(merged, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{path}: {str(error).splitlines()[0]}.") from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _parse_override(override: str) -> tuple[str, Any]:
    """Return the key and the value, without resolving interpolations."""
    key = override.partition("=")[0]
    try:
        value: Any = OmegaConf.to_container(OmegaConf.from_dotlist([override]), resolve=False)
        for part in key.split("."):
            value = value[part]
    except Exception as error:  # YAML and OmegaConf raise many kinds of errors
        reason = str(error).splitlines()[0]
        raise ConfigError(f"Override '{override}': {reason}; expected key=value with the value in YAML.") from error
    return key, value


def read_mapping(path: Path) -> dict[str, Any]:
    """Read the keys and values of a configuration file, without composing or interpolating them.

    Raises:
        ConfigError: when there is no such file, or it does not hold a mapping.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such configuration file.")
    _configuration_files.set((*_configuration_files.get(), path))
    content = read_structured(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: found a {type(content).__name__}; expected keys and values at the top level.")
    return content


def _groups(defaults: Any, path: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for entry in defaults if isinstance(defaults, list) else [defaults]:
        if entry == "_self_":
            continue
        if not isinstance(entry, dict) or not all(isinstance(name, str) for pair in entry.items() for name in pair):
            raise ConfigError(f"{path}: defaults: found {entry!r}; expected a list of entries 'group: name'.")
        groups |= entry
    return groups


def _group_file(path: Path, group: str, name: str) -> Path:
    directory = path.parent / group
    for candidate in (directory / f"{name}.yaml", directory / f"{name}.json", directory / name):
        if candidate.is_file():
            return candidate
    known = [file.stem for file in directory.glob("*.*")]
    hint = f" {did_you_mean(name, known)}" if known else ""
    raise ConfigError(f"{path}: defaults: {group}: no file {directory / name}.yaml.{hint}")


def configure_logging(*, verbose: bool = False, quiet: bool = False, log_file: Path | None = None) -> None:
    """Show kiwi's log on standard error; other loggers are not changed.

    If the program has set up logging itself (the root logger has a handler), its handlers show the messages.

    Args:
        verbose: whether to show debug messages.
        quiet: whether to show only warnings and errors; takes precedence.
        log_file: a file that the same messages are written to.
    """
    for handler in [handler for handler in logger.handlers if handler.get_name() == HANDLER_NAME]:
        logger.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = []
    if not logging.getLogger().handlers:
        handlers.append(RichHandler(console=Console(stderr=True), show_path=False, log_time_format="[%X]"))
    if log_file is not None:
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for handler in handlers:
        handler.set_name(HANDLER_NAME)
        logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)


@contextmanager
def ignore_warnings_of(*modules: str, shown: bool = False) -> Iterator[None]:
    """Ignore the Python warnings of libraries that are meant for developers, such as those about deprecated names.

    Args:
        modules: the libraries whose warnings are ignored.
        shown: whether to show the warnings after all.
    """
    with warnings.catch_warnings():
        for module in () if shown else modules:
            warnings.filterwarnings("ignore", module=rf"{module}\b")
        yield


def configure_seed(seed: int) -> None:
    """Seed every random generator that kiwi uses."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
