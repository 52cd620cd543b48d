"""The options of ``kiwi train``, and the checks across several options."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from pydantic import ValidationError
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.text.language_pairs import PAIR
from kiwi.exceptions import ConfigError
from kiwi.lib.train.language_pairs import has_pairs
from kiwi.lib.utils import silenced_logs
from kiwi.systems.config.system import sparse_fields
from kiwi.systems.qe_system import QESystem
from kiwi.systems.tlm_system import TLMSystem
from kiwi.training.config import RunConfig, TrainerConfig
from kiwi.training.devices import count_processes, was_started_by_launcher
from kiwi.training.optimizers import find_optimizer_state
from kiwi.utils.inputs import refuse_pipes
from kiwi.utils.io import BaseConfig, did_you_mean

logger = logging.getLogger("kiwi.lib.train")


class AnyConfiguration(BaseConfig):
    """Options that `kiwi train` and `kiwi pretrain` share."""

    system_type: ClassVar[type[QESystem] | type[TLMSystem]]

    run: RunConfig = RunConfig()
    """Options of the run, its directory and its tracking."""

    trainer: TrainerConfig = TrainerConfig()
    """Options of the duration of training, its devices, and the main metric."""

    data: Any
    """The training and validation data."""

    system: Any
    """Options of the system to train."""

    debug: bool = False
    """Whether to run only one batch of training and one of validation, to check the configuration and the data."""

    verbose: bool = False
    """Whether to show debug messages."""

    quiet: bool = False
    """Whether to show only warnings and errors; has precedence over ``verbose``."""

    @classmethod
    @override
    def mistakes_of(cls, options: Mapping[str, Any]) -> dict[str, str]:
        run, trainer, data, system = (
            part if isinstance(part := options.get(name), Mapping) else {}
            for name in ("run", "trainer", "data", "system")
        )
        wrong: dict[str, str] = {}
        if trainer.get("resume") is True and run.get("run_id") is None and run.get("output_dir") is None:
            wrong["run.run_id"] = "required with trainer.resume, unless run.output_dir names the run to resume"
        if trainer.get("resume") is True and options.get("debug") is True:
            wrong["debug"] = "not supported with trainer.resume, because a run of one batch saves no state"
        if "data" in options and data.get("train") is None:
            wrong["data.train"] = "required for training"
        if "data" in options and (data.get("valid") is None) == (data.get("split") is None):
            wrong["data.valid"] = "exactly one of data.valid and data.split is required"
        if "system" in options and system.get("optimizer") is None:
            wrong["system.optimizer"] = "required for training"
        if system.get("load") is None:  # a system that is loaded is not known before the run starts
            system_type: Any = cls.system_type
            with suppress(ValidationError), silenced_logs():  # what they warn of is said when the options are read
                valid_system = system_type.Config.model_validate({**system, "optimizer": None})
                with suppress(ValidationError):
                    wrong |= system_type.missing_files(valid_system, system_type.Dataset.Config.model_validate(data))
                metric, known = trainer.get("main_metric"), valid_system.model.metric_names
                if mistake := find_main_metric_mistake(metric, known, has_pairs=has_pairs(data)):
                    wrong["trainer.main_metric"] = mistake
        return wrong


class Configuration(AnyConfiguration):
    """Options of ``kiwi train``."""

    system_type = QESystem

    data: WMTQEDataset.Config
    """The training and validation data."""

    system: QESystem.Config
    """Options of the system to train."""


def find_main_metric_mistake(configured: Any, known: Sequence[str], *, has_pairs: bool = False) -> str | None:
    """Return a message about the first metric that the configured outputs do not have, or None.

    Args:
        configured: the value of ``trainer.main_metric``.
        known: the metrics of the configured outputs.
        has_pairs: whether a name may begin with any language pair, as in ``en-de_PEARSON``.
    """
    names = [configured] if isinstance(configured, str) else configured if isinstance(configured, list) else []
    for name in names:
        metric = str(name).removeprefix("val_")
        if has_pairs and PAIR.fullmatch(metric.partition("_")[0]):
            metric = metric.partition("_")[2]
        if metric not in known:
            return (
                f"'{name}' is not a metric of the configured outputs, or the data has no labels for it; "
                f"{did_you_mean(name, known)}"
            )
    return None


def choose_main_metric(
    configured: str | list[str] | None, known: Sequence[str], *, has_pairs: bool = False
) -> list[str]:
    """Return the metrics whose sum determines which model is best, without the prefix ``val_``.

    Args:
        configured: the value of ``trainer.main_metric``.
        known: the metrics of the configured outputs, the main one first.
        has_pairs: whether a name may begin with any language pair, as in ``en-de_PEARSON``.

    Raises:
        ConfigError: when the configured outputs do not have such a metric.
    """
    if mistake := find_main_metric_mistake(configured, known, has_pairs=has_pairs):
        raise ConfigError(f"trainer.main_metric: {mistake}")
    names = [configured] if isinstance(configured, str) else configured or known[:1]
    return [name.removeprefix("val_") for name in names]


def check_run(system_type: type[QESystem] | type[TLMSystem], system_config: Any, config: AnyConfiguration) -> None:
    """Check what depends on a system that is loaded, whose options are not known when the configuration is read.

    Args:
        system_type: the class of the system.
        system_config: the options of the system, completed by those of the loaded one.
        config: the options of the run.

    Raises:
        ConfigError: when files for the outputs are missing or cannot be pipes, or gradient clipping is not supported.
        CheckpointError: when there is no state of an optimizer to load.
    """
    if missing := system_type.missing_files(system_config, config.data):
        raise ConfigError("Files are missing:\n" + "\n".join(f"  {path}: {why}" for path, why in missing.items()))
    if (
        system_type is QESystem
        and config.data.train.output.binary
        and const.BINARY not in system_config.model.outputs.names
    ):
        option = "system.model.outputs.sentence_level.binary=true"
        logger.warning(
            "data.train.output.binary is not read, since no output learns from it. Set %s to learn it.", option
        )
    if count_processes(config.trainer) > 1 or was_started_by_launcher():
        refuse_pipes(config, "", "each process of a run on several GPUs reads the files, and a pipe can be read once")
    if config.trainer.gradient_max_norm and sparse_fields(system_config.model):
        raise ConfigError(
            "trainer.gradient_max_norm: gradient clipping is not supported with sparse gradients; set it to 0.0."
        )
    if config.system.optimizer is not None and config.system.optimizer.load is not None:
        find_optimizer_state(config.system.optimizer.load)
