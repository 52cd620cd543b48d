"""Low-rank adapters in a pretrained encoder, by the library ``peft`` (Hu et al. 2021, arXiv 2106.09685)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from kiwi.exceptions import ConfigError
from kiwi.systems.encoders.transformer_config import LoraConfig
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import did_you_mean


def add_adapters(body: nn.Module, layers: Sequence[nn.Module], config: LoraConfig) -> None:
    """Add adapters to linear layers, and freeze all other weights of the model.

    Args:
        body: the model.
        layers: the layers of the model that are trained.
        config: the options of the adapters.

    Raises:
        MissingExtraError: when ``peft`` is not installed.
        ConfigError: when a configured module is not a linear layer of the model.
    """
    with needs_extra("lora", "system.model.encoder.lora"):
        import peft

    trained = {id(module) for layer in layers for module in layer.modules()}
    linear = [n for n, module in body.named_modules() if isinstance(module, nn.Linear) and id(module) in trained]
    if not linear:
        kinds = sorted({type(module).__name__ for layer in layers for module in layer.modules() if _has_matrix(module)})
        raise ConfigError(
            "system.model.encoder.lora: the layers of this model have no linear layers for adapters, only "
            f"{', '.join(kinds) or 'other modules'}. Remove lora."
        )
    endings = {name.rpartition(".")[2] for name in linear}
    for ending in config.modules or ():
        if ending not in endings:
            raise ConfigError(
                f"system.model.encoder.lora.modules: '{ending}' is not a linear layer of this model; "
                f"{did_you_mean(ending, sorted(endings))}"
            )
    chosen = [name for name in linear if config.modules is None or name.rpartition(".")[2] in config.modules]
    options: dict[str, Any] = {"r": config.rank, "lora_alpha": config.alpha, "lora_dropout": config.dropout}
    peft.inject_adapter_in_model(peft.LoraConfig(target_modules=chosen, **options), body)


def _has_matrix(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim > 1


def merged_weights(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a module with its adapters merged, by their names without adapters."""
    weights = {
        name.replace(".base_layer.", "."): weight
        for name, weight in module.state_dict().items()
        if ".lora_" not in name
    }
    for name, part in module.named_modules():
        if hasattr(part, "get_delta_weight"):
            adapted: Any = part
            delta = sum(adapted.get_delta_weight(adapter) for adapter in adapted.active_adapters)
            weights[f"{name}.weight"] = adapted.base_layer.weight.detach() + delta.detach()
    return weights
