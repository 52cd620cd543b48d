"""Pretrain a language model of translations on parallel text: ``kiwi pretrain``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi.data.datasets.parallel_dataset import UNREAD, ParallelDataset
from kiwi.lib.train import AnyConfiguration, TrainRunInfo, run
from kiwi.lib.utils import configure_logging, load_configuration
from kiwi.systems.tlm_system import TLMSystem

logger = logging.getLogger(__name__)

__all__ = ["Configuration", "pretrain_from_configuration", "pretrain_from_file"]


class Configuration(AnyConfiguration):
    """Options of ``kiwi pretrain``."""

    system_type = TLMSystem

    data: ParallelDataset.Config
    """The training and validation data."""

    system: TLMSystem.Config
    """Options of the language model to train."""


def pretrain_from_file(filename: str | Path) -> TrainRunInfo:
    """Pretrain a language model with the options of a configuration file.

    Args:
        filename: a YAML or JSON file.

    Returns:
        The trained model, its best metrics, and the path of the best model, for ``system.load_encoder``.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when the data cannot be used; the message names file and line.
    """
    return pretrain_from_configuration(load_configuration(filename))


def pretrain_from_configuration(configuration_dict: Mapping[str, Any]) -> TrainRunInfo:
    """Pretrain a language model with a mapping of options.

    Args:
        configuration_dict: the options of :class:`Configuration`.

    Returns:
        The trained model, its best metrics, and the path of the best model, for ``system.load_encoder``.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when the data cannot be used; the message names file and line.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    config = Configuration.from_dict(configuration_dict)
    if unread := _list_unread(configuration_dict["data"]):
        logger.warning("Pretraining reads source and target only; not read: %s.", ", ".join(unread))
    return run(config, TLMSystem)


def _list_unread(data: Mapping[str, Any]) -> list[str]:
    """Return the dotted paths of files that pretraining does not read."""
    return [
        f"data.{part}.{group}.{name}"
        for part in ("train", "valid")
        for group, names in UNREAD.items()
        for name in names
        if ((data.get(part) or {}).get(group) or {}).get(name) is not None
    ]
