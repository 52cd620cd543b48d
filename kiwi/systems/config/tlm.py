"""Options of a translation language model, and what a trained one brings to them."""

from __future__ import annotations

from typing import ClassVar

from kiwi.exceptions import ConfigError
from kiwi.systems.config.architectures import LANGUAGE_MODELS
from kiwi.systems.config.system import (
    Architectures,
    SystemConfig,
    check_form_of_loaded,
    model_config_of,
    sparse_mistake,
)
from kiwi.systems.manifest.checkpoint import read_checkpoint_info


class TLMSystemConfig(SystemConfig):
    """Form of ``system`` of ``kiwi pretrain``."""

    architectures: ClassVar[Architectures] = LANGUAGE_MODELS


def resolve(config: TLMSystemConfig) -> TLMSystemConfig:
    """The configuration with what a trained language model brings.

    Raises:
        CheckpointError: when there is none.
        ConfigError: when the configuration and the trained one do not agree.
    """
    config = config.located()
    class_name, model = config.class_name, config.model
    if config.load is not None:
        info = read_checkpoint_info(config.load)
        model = model_config_of(info, config.load, LANGUAGE_MODELS, config.model or {})
        if class_name not in (None, info.class_name):
            raise ConfigError(f"system.class_name is '{class_name}', but {config.load} is '{info.class_name}'.")
        class_name = info.class_name
        check_form_of_loaded(model, model_config_of(info, config.load, LANGUAGE_MODELS), config.load)
    if config.optimizer is not None and config.optimizer.layerwise_lr_decay != 1.0:
        raise ConfigError(f"system.optimizer.layerwise_lr_decay: {class_name} has no pretrained layers; remove it.")
    if mistake := sparse_mistake(model, config.optimizer):
        raise ConfigError(f"system: {mistake}.")
    return config.model_copy(update={"class_name": class_name, "model": model})
