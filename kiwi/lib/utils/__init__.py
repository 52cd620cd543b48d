"""Functions that all pipelines share: configuration files with composition and overrides, logging, seeds."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from kiwi.exceptions import ConfigError
from kiwi.utils.display import shown
from kiwi.utils.io import BaseConfig
from kiwi.utils.written import user_path

logger = logging.getLogger("kiwi")

HANDLER_NAME = "kiwi"


def example_configuration(pipeline: str) -> Path:
    """Return the path of the bundled example of a pipeline."""
    from kiwi.lib.utils.composition import PACKAGE_ASSETS

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
        Dictionaries, lists and values. They remember how values are written, so that options that take text get ``no``
        and ``042`` as text.

    Raises:
        ConfigError: when the file or an override cannot be used; the message names it.
    """
    from kiwi.lib.utils.composition import compose, read_mapping  # OmegaConf takes a while to import

    path = user_path(filename)
    composition = compose(read_mapping(path), path, overrides)
    composition.refuse_unknown()
    warn_of_unused(composition.unused, path)
    return composition.options


def file_to_configuration(config_file: str | Path) -> dict[str, Any]:
    """Read a configuration file, under the name and with the result of OpenKiwi 2.1.

    Args:
        config_file: a YAML or JSON file.

    Returns:
        The options of :func:`load_configuration`, with ``verbose`` and ``quiet``.
    """
    return arguments_to_configuration({"CONFIG_FILE": config_file})


def arguments_to_configuration(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Read the configuration that the arguments of a command line name, under the name of OpenKiwi 2.1.

    Args:
        arguments: ``CONFIG_FILE``, and optionally ``OVERWRITES`` (a list of ``key=value``), ``--verbose`` and
            ``--quiet``.

    Returns:
        The options of :func:`load_configuration`, with ``verbose`` and ``quiet``.

    Raises:
        ConfigError: when there is no ``CONFIG_FILE``, or it cannot be used.
    """
    if not arguments.get("CONFIG_FILE"):
        raise ConfigError("CONFIG_FILE: required: the path of a configuration.")
    options = load_configuration(arguments["CONFIG_FILE"], arguments.get("OVERWRITES") or ())
    return options | {name: bool(arguments.get(f"--{name}", options.get(name, False))) for name in ("verbose", "quiet")}


def save_config_to_file(config: BaseConfig, file_name: str | Path) -> None:
    """Write a configuration to a YAML file, under the name of OpenKiwi 2.1; secrets of URIs are left out.

    Args:
        config: the configuration.
        file_name: the file, whose suffix becomes ``.yaml``.
    """
    path = user_path(file_name).with_suffix(".yaml")
    from kiwi.utils.structured.writing import write_configuration

    write_configuration(path, config.model_dump(mode="json"))
    logger.debug("Saved the configuration to %s", path)


def warn_of_unused(variables: Iterable[str], path: Path) -> None:
    """Warn of variables that nothing refers to.

    Args:
        variables: the names of the variables.
        path: the file of the configuration.
    """
    for name in variables:
        logger.warning(
            "%s: nothing refers to the variable %s; write ${%s} where it belongs, or remove it.", path, name, name
        )


class _Formatter(logging.Formatter):
    """Formats messages without the secrets of URIs, and with control characters escaped."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


class _TerminalHandler(logging.Handler):
    """Shows messages on standard error with Rich, which is imported at the first one."""

    def __init__(self) -> None:
        super().__init__()
        self._handler: logging.Handler | None = None

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if self._handler is None:
            from rich.console import Console
            from rich.logging import RichHandler

            self._handler = RichHandler(console=Console(stderr=True), show_path=False, log_time_format="[%X]")
            self._handler.setFormatter(self.formatter)
        self._handler.emit(record)


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
        handlers.append(_TerminalHandler())
        handlers[-1].setFormatter(_Formatter("%(message)s"))
    if log_file is not None:
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
        handlers[-1].setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
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


@contextmanager
def silenced_logs() -> Iterator[None]:
    """Hide kiwi's log of configurations that are only tried."""
    kiwi = logging.getLogger("kiwi")
    level = kiwi.level
    kiwi.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        kiwi.setLevel(level)
