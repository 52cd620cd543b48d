"""Properties of Transformers models, independent of the model family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from kiwi.exceptions import ConfigError
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig


def find_layers(body: Any) -> list[nn.Module]:
    """Return the layers of a model, lowest first.

    Raises:
        ConfigError: when the layers cannot be found.
    """
    count = getattr(body.config, "num_hidden_layers", None)
    lists = [module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if not lists:
        raise ConfigError(f"system.model.encoder: the layers of a {body.config.model_type} model cannot be found.")
    if body.config.model_type == "xlm":  # the modules of its layers are in parallel lists
        return [nn.ModuleList(parts) for parts in zip(*lists, strict=True)]
    return list(lists[0])


def frozen_modules(body: Any, layers: Sequence[nn.Module], n: int) -> list[nn.Module]:
    """Return the modules that ``freeze_layers: n`` freezes: none for 0, else all but the layers above the first n."""
    if n == 0:
        return []
    in_layers = {id(parameter) for layer in layers for parameter in layer.parameters()}
    outside = [
        module
        for module in body.modules()
        if (own := list(module.parameters(recurse=False))) and not any(id(weight) in in_layers for weight in own)
    ]
    return [*layers[:n], *outside]


def max_sequence_length(body: Any) -> int:
    """Return the length of the longest sequence that a model accepts, in pieces."""
    positions = int(getattr(body.config, "max_position_embeddings", 512))
    # Models of the RoBERTa family count positions from the padding index + 1.
    offsets = [
        module.padding_idx + 1
        for name, module in body.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    return positions - max(offsets, default=0)


def language_indices(config: TransformerEncoderConfig, body: Any) -> tuple[int, int] | None:
    """Return the language indices of target and source, for models with language embeddings.

    Raises:
        ConfigError: when the model does not support a language.
    """
    if body.config.model_type != "xlm" or not getattr(body.config, "use_lang_emb", False):
        return None
    known = dict(getattr(body.config, "lang2id", None) or {})
    names = {name: getattr(config, name, None) for name in ("target_language", "source_language")}
    for name, language in names.items():
        if language not in known:
            raise ConfigError(
                f"system.model.encoder.{name}: found '{language}'; this model supports {', '.join(sorted(known))}. "
                "To set languages, use class_name: XLM."
            )
    return known[names["target_language"]], known[names["source_language"]]
