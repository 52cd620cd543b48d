"""Pretrain a language model of translations on parallel text: ``kiwi pretrain``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi.data.datasets.parallel_dataset import ParallelDataset
from kiwi.lib.train import AnyConfiguration, TrainRunInfo, run
from kiwi.lib.utils import configure_logging, load_configuration
from kiwi.systems.tlm_system import TLMSystem

__all__ = ["Configuration", "pretrain_from_configuration", "pretrain_from_file"]


class Configuration(AnyConfiguration):
    """Options of ``kiwi pretrain``."""

    system_type = TLMSystem

    data: ParallelDataset.Config
    """Files to train and validate on."""

    system: TLMSystem.Config
    """What to train."""


def pretrain_from_file(filename: str | Path) -> TrainRunInfo:
    """Pretrain a language model as a configuration file says.

    Args:
        filename: YAML or JSON.

    Returns:
        The trained model, its best metrics, and where the best model is: give it to ``system.load_encoder``.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
    """
    return pretrain_from_configuration(load_configuration(filename))


def pretrain_from_configuration(configuration_dict: Mapping[str, Any]) -> TrainRunInfo:
    """Pretrain a language model as a mapping of options says.

    Args:
        configuration_dict: options of :class:`Configuration`.

    Returns:
        The trained model, its best metrics, and where the best model is: give it to ``system.load_encoder``.

    Raises:
        ConfigError: listing every mistake of the configuration.
        DataError: naming file and line.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict), TLMSystem)
