"""Properties of Transformers models, independent of the model family."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tokenizers import Tokenizer
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from kiwi.data.text.pieces import PieceTokenizer
from kiwi.exceptions import ConfigError
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig


def find_layers(body: Any) -> list[nn.Module]:
    """Return the layers of a model, lowest first.

    A layer that is applied several times, as in ALBERT, is in the list as often.

    Raises:
        ConfigError: when the layers cannot be found.
    """
    if getattr(body.config, "is_decoder", False):
        raise ConfigError(
            f"system.model.encoder.model_name: a {body.config.model_type} with is_decoder: true is not an encoder. "
            "Name an encoder."
        )
    count = getattr(body.config, "num_hidden_layers", None)
    all_lists = [module for module in body.modules() if isinstance(module, nn.ModuleList)]
    lists = [module for module in all_lists if len(module) == count]
    if lists and body.config.model_type in PARALLEL_LISTS:
        return [nn.ModuleList(parts) for parts in zip(*lists, strict=True)]
    if lists:
        return list(lists[0])
    n_groups = getattr(body.config, "num_hidden_groups", None)
    groups = next((list(module) for module in all_lists if len(module) == n_groups), [])
    if not groups or not count:
        raise ConfigError(
            f"system.model.encoder.model_name: the layers of a {body.config.model_type} cannot be found. Name another "
            "encoder."
        )
    return [groups[int(index / (count / len(groups)))] for index in range(count)]


PARALLEL_LISTS = ("xlm", "flaubert")
"""The model types whose layers are not modules: the parts of layers are in parallel lists."""


def attention_for_training(body: Any) -> AbstractContextManager[None]:
    """Return a context with the implementation of attention that trains a model fastest on its device.

    On a CPU, the backward pass of fused attention takes several times as long as that of separate products.
    """
    context: AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH) if body.device.type == "cpu" else nullcontext()
    return context


def build_tokenizer(tokenizer: Tokenizer, body: Any, config: TransformerEncoderConfig, name: str) -> PieceTokenizer:
    """Build the tokenizer of an encoder.

    Args:
        tokenizer: the tokenizer of the model.
        body: the model.
        config: the options of the encoder.
        name: the name of the model, for errors.

    Raises:
        ConfigError: when the model is too short or its tokenizer has no piece.
    """
    try:
        return PieceTokenizer(
            tokenizer,
            max_sequence_length(body),
            source_max_pieces=config.source_max_length,
            target_max_pieces=config.target_max_length,
        )
    except ValueError as error:
        raise ConfigError(f"system.model.encoder.model_name: {name}: {error}.") from error


def depths_of(body: nn.Module, layers: Sequence[nn.Module]) -> dict[str, int]:
    """Return the number of layers above each weight of a model, by name; others than those of layers are below all."""
    above = {id(w): len(layers) - 1 - index for index, layer in enumerate(layers) for w in layer.parameters()}
    return {name: above.get(id(weight), len(layers)) for name, weight in body.named_parameters()}


def enable_gradient_checkpointing(body: Any) -> None:
    """Let a model recompute activations in the backward pass.

    Raises:
        ConfigError: when Transformers does not support it for this model.
    """
    if not body.supports_gradient_checkpointing:
        raise ConfigError(
            f"system.model.encoder.gradient_checkpointing: Transformers does not support it for a "
            f"{body.config.model_type}; remove it."
        )
    body.activation_checkpointing_enable()


def check_freezing(layers: Sequence[nn.Module], config: TransformerEncoderConfig, name: str) -> None:
    """Check that ``freeze_layers`` can freeze that many layers.

    Args:
        layers: the layers of the model.
        config: the options of the encoder.
        name: the name of the model, for errors.

    Raises:
        ConfigError: when the model has fewer layers, or a frozen layer has the weights of one that is trained.
    """
    n = config.freeze_layers
    if n > len(layers):
        raise ConfigError(
            f"system.model.encoder.freeze_layers: found {n}; expected at most {len(layers)}, the layers of {name}."
        )
    if {id(layer) for layer in layers[:n]} & {id(layer) for layer in layers[n:]}:
        raise ConfigError(
            f"system.model.encoder.freeze_layers: found {n}, but the layers of {name} share their weights. Set 0, or "
            f"{len(layers)} for all of them."
        )


def takes_types(body: Any) -> bool:
    """Return whether a model distinguishes the two texts of a pair by token types."""
    knows = "token_type_ids" in inspect.signature(body.forward).parameters
    return knows and getattr(body.config, "type_vocab_size", 0) > 1 and body.config.model_type not in PARALLEL_LISTS


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
    positions = getattr(body.config, "max_position_embeddings", None)
    if not positions or positions < 0:  # relative positions, such as those of T5 and XLNet, have no bound
        return UNBOUNDED_LENGTH
    # Models of the RoBERTa family count positions from the padding index + 1; not all of their tables are nn.Embedding.
    offsets = [
        padding + 1
        for name, module in body.named_modules()
        if name.endswith("position_embeddings") and (padding := getattr(module, "padding_idx", None)) is not None
    ]
    return int(positions) - max(offsets, default=0)


UNBOUNDED_LENGTH = 512
"""The length of the longest sequence for models that accept any length."""


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
