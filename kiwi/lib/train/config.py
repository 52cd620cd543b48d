"""The options of ``kiwi train``, and what they need of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from pydantic import ValidationError

from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.exceptions import ConfigError
from kiwi.systems.qe_system import QESystem
from kiwi.systems.tlm_system import TLMSystem
from kiwi.training.config import RunConfig, TrainerConfig
from kiwi.utils.io import BaseConfig, did_you_mean


class AnyConfiguration(BaseConfig):
    """Options that `kiwi train` and `kiwi pretrain` share."""

    system_type: ClassVar[type[QESystem] | type[TLMSystem]]

    run: RunConfig = RunConfig()
    """The run: where it lives, its seed."""

    trainer: TrainerConfig = TrainerConfig()
    """How long to train, on what device, and what counts as better."""

    data: Any
    """Files to train and validate on."""

    system: Any
    """What to train."""

    debug: bool = False
    """Run one batch of training and one of validation, to see whether everything fits."""

    verbose: bool = False
    """Show debug messages."""

    quiet: bool = False
    """Show warnings and errors only; has precedence over ``verbose``."""

    @classmethod
    def mistakes_of(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """What training needs though it is optional elsewhere, and what data, outputs and metric need of each other."""
        data, system = (part if isinstance(part := options.get(name), Mapping) else {} for name in ("data", "system"))
        wrong: dict[str, str] = {}
        run, trainer = (part if isinstance(part := options.get(name), Mapping) else {} for name in ("run", "trainer"))
        if trainer.get("resume") is True and run.get("run_id") is None and run.get("output_dir") is None:
            wrong["run.run_id"] = "required with trainer.resume (or run.output_dir), to say which run goes on"
        if trainer.get("resume") is True and options.get("debug") is True:
            wrong["debug"] = "a run of one batch is not resumed"
        if "data" in options and data.get("train") is None:
            wrong["data.train"] = "required for training"
        if "data" in options and (data.get("valid") is None) == (data.get("split") is None):
            wrong["data.valid"] = "exactly one of data.valid and data.split is required"
        if "system" in options and system.get("optimizer") is None:
            wrong["system.optimizer"] = "required for training"
        if system.get("load") is None:  # what is loaded is known only when the run starts
            system_type: Any = cls.system_type
            with suppress(ValidationError):
                valid_system = system_type.Config.model_validate({**system, "optimizer": None})
                with suppress(ValidationError):
                    wrong |= system_type.missing_files(valid_system, system_type.Dataset.Config.model_validate(data))
                if mistake := main_metric_mistake(trainer.get("main_metric"), valid_system.model.metric_names):
                    wrong["trainer.main_metric"] = mistake
        return wrong


class Configuration(AnyConfiguration):
    """Options of ``kiwi train``."""

    system_type = QESystem

    data: WMTQEDataset.Config
    """Files to train and validate on."""

    system: QESystem.Config
    """What to train."""


def main_metric_mistake(configured: Any, known: Sequence[str]) -> str | None:
    """What is wrong with a choice of metrics: names that the configured outputs do not have."""
    names = [configured] if isinstance(configured, str) else configured if isinstance(configured, list) else []
    for name in names:
        if str(name).removeprefix("val_") not in known:
            return f"'{name}' is not a metric of the configured outputs; {did_you_mean(name, known)}"
    return None


def choose_main_metric(configured: str | list[str] | None, known: Sequence[str]) -> list[str]:
    """The metrics that are added up to say what is better.

    Args:
        configured: in ``trainer.main_metric``.
        known: those of the configured outputs, the main one first.

    Raises:
        ConfigError: when the configured outputs do not have such a metric.
    """
    if mistake := main_metric_mistake(configured, known):
        raise ConfigError(f"trainer.main_metric: {mistake}")
    names = [configured] if isinstance(configured, str) else configured or known[:1]
    return [name.removeprefix("val_") for name in names]
