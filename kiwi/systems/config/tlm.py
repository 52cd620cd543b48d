"""The options of a translation language model, and their completion from a trained one."""

from __future__ import annotations

from typing import ClassVar

from kiwi.exceptions import ConfigError
from kiwi.systems.config.architectures import LANGUAGE_MODELS
from kiwi.systems.config.system import (
    Architectures,
    SystemConfig,
    check_matches_trained,
    model_config_of,
    sparse_gradient_mistake,
)
from kiwi.systems.manifest.checkpoint import read_checkpoint_info


class TLMSystemConfig(SystemConfig):
    """The options of ``system`` for ``kiwi pretrain``."""

    architectures: ClassVar[Architectures] = LANGUAGE_MODELS


def resolve(config: TLMSystemConfig) -> TLMSystemConfig:
    """Complete a configuration from the trained language model that it names, if any.

    Raises:
        CheckpointError: when the trained language model is missing or damaged.
        ConfigError: when the configuration conflicts with the trained language model.
    """
    config = config.with_local_paths()
    class_name, model = config.class_name, config.model
    if config.load is not None:
        info = read_checkpoint_info(config.load)
        model = model_config_of(info, config.load, LANGUAGE_MODELS, config.model or {})
        if class_name not in (None, info.class_name):
            raise ConfigError(
                f"system.class_name: found '{class_name}', but {config.load} is a '{info.class_name}'. "
                "Remove system.class_name."
            )
        class_name = info.class_name
        check_matches_trained(model, model_config_of(info, config.load, LANGUAGE_MODELS), config.load)
    if config.optimizer is not None and config.optimizer.layerwise_lr_decay != 1.0:
        raise ConfigError(f"system.optimizer.layerwise_lr_decay: {class_name} has no pretrained layers; remove it.")
    if mistake := sparse_gradient_mistake(model, config.optimizer):
        raise ConfigError(f"system: {mistake}.")
    return config.model_copy(update={"class_name": class_name, "model": model})
