"""What has to be known of a model of Transformers, whatever its family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from kiwi.exceptions import ConfigError
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig


def layers_of(body: Any) -> list[nn.Module]:
    """The layers of a model, lowest first.

    Raises:
        ConfigError: when they cannot be told apart.
    """
    count = getattr(body.config, "num_hidden_layers", None)
    lists = [module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if not lists:
        raise ConfigError(f"system.model.encoder: the layers of a {body.config.model_type} cannot be told apart.")
    if body.config.model_type == "xlm":  # the parts of its layers lie in parallel lists
        return [nn.ModuleList(parts) for parts in zip(*lists, strict=True)]
    return list(lists[0])


def below(body: Any, layers: Sequence[nn.Module], n: int) -> list[nn.Module]:
    """What ``freeze_layers`` freezes for good: all of a model but the layers above the first n; nothing for 0."""
    if n == 0:
        return []
    in_layers = {id(parameter) for layer in layers for parameter in layer.parameters()}
    outside = [
        module
        for module in body.modules()
        if (own := list(module.parameters(recurse=False))) and not any(id(weight) in in_layers for weight in own)
    ]
    return [*layers[:n], *outside]


def max_pieces_of(body: Any) -> int:
    """The longest sequence that a model takes."""
    positions = int(getattr(body.config, "max_position_embeddings", 512))
    # Models of the RoBERTa family count positions from behind the index of padding.
    offsets = [
        module.padding_idx + 1
        for name, module in body.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    return positions - max(offsets, default=0)


def languages_of(config: TransformerEncoderConfig, body: Any) -> tuple[int, int] | None:
    """Language indices of target and source, for models with language embeddings.

    Raises:
        ConfigError: for a language that the model does not know.
    """
    if body.config.model_type != "xlm" or not getattr(body.config, "use_lang_emb", False):
        return None
    known = dict(getattr(body.config, "lang2id", None) or {})
    names = {name: getattr(config, name, None) for name in ("target_language", "source_language")}
    for name, language in names.items():
        if language not in known:
            raise ConfigError(
                f"system.model.encoder.{name}: found '{language}'; this model knows {', '.join(sorted(known))}. "
                "Languages can be given with class_name: XLM."
            )
    return known[names["target_language"]], known[names["source_language"]]
