"""Probes of a pretrained model: short runs that show whether it can serve as an encoder, whatever its class is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from kiwi.exceptions import ConfigError, KiwiError

Run = Callable[[Tensor, Tensor], Sequence[Tensor]]
"""A function that runs a model on pieces and their mask, (windows, pieces) each, and returns the states of all layers,
(windows, pieces, hidden) each."""

PROBE_LENGTH = 12
"""The number of pieces of a probe; the segment that is padded to it has half as many."""

LEAK = 1e-3
"""The largest difference, in standard deviations of the states, that padding may make; rounding makes about 1e-5."""

NO_CHANGE = 1e-7
"""The difference, in standard deviations of the states, below which a state counts as unchanged."""

MODEL_OPTION = "system.model.encoder.model_name"

ANOTHER = "Name another encoder."


@contextmanager
def explain_errors(name: str, config: Any = None) -> Iterator[None]:
    """Turn any error of a library in this block into a sentence.

    Hundreds of model classes raise whatever they like for options and inputs that they do not support.

    Args:
        name: the name of the model, for the error.
        config: the configuration of the model, which some errors are due to.

    Raises:
        ConfigError: when the block raises anything but an error of kiwi.
    """
    try:
        yield
    except KiwiError:
        raise
    except Exception as error:
        reason = _cause(error, config) or f"{reason_of(error)} {ANOTHER}"
        raise ConfigError(f"{MODEL_OPTION}: '{name}' cannot be used as an encoder of text: {reason}") from error


def _cause(error: Exception, config: Any) -> str | None:
    """Return which option of a configuration an error is due to and what to set it to, if it is known."""
    if "set_default_language" in str(error):  # of X-MOD, which has weights for each language
        languages = ", ".join(list(getattr(config, "languages", ()))[:5])
        return f"its config.json has no default_language. Set it to one of its languages, such as {languages}."
    # Positions are counted from the padding index on, by comparing the pieces with it.
    if str(error).startswith("ne()") and getattr(config, "pad_token_id", 0) is None:
        return "its config.json has no pad_token_id. Set it to the index of the padding piece in its tokenizer."
    return None


def reason_of(error: BaseException) -> str:
    """Return the first lines of an error as one line that ends with a full stop, or else the name of its class."""
    text = " ".join(str(error).split()) if not isinstance(error, KeyError) else ""
    if not text:
        text = f"{type(error).__name__}({error})" if str(error) else type(error).__name__
    text = text if len(text) <= 300 else f"{text[:300]}..."
    return text if text.endswith((".", "!", "?")) else f"{text}."


def example_ids(n_embeddings: int, length: int, avoid: Collection[int]) -> Tensor:
    """Return different pieces of a vocabulary, if it has enough of them, int64 (length,).

    Args:
        n_embeddings: the number of pieces that have an embedding.
        length: the number of pieces to return.
        avoid: the special pieces.
    """
    ordinary = [index for index in range(min(n_embeddings, length + len(avoid) + 200)) if index not in avoid]
    chosen = ordinary[-length:] or [0]  # the first ones are often special
    return torch.tensor([chosen[index % len(chosen)] for index in range(length)], dtype=torch.int64)


@torch.no_grad()
def check_states(run: Run, ids: Tensor, shape: tuple[int, int], name: str) -> None:
    """Check that a model returns finite states of each piece in each layer.

    Args:
        run: the function that runs the model.
        ids: the pieces to run it on, (pieces,).
        shape: the expected number of layers, embeddings included, and the hidden size.
        name: the name of the model, for errors.

    Raises:
        ConfigError: when it does not.
    """
    states = run(ids[None], torch.ones_like(ids[None], dtype=torch.bool))
    n_states, size = shape
    if not isinstance(states, tuple | list):
        raise ConfigError(f"{MODEL_OPTION}: '{name}' does not return the states of its layers. {ANOTHER}")
    expected = (1, len(ids), size)
    if other := [tuple(layer.shape) for layer in states if layer.shape != expected]:
        raise ConfigError(
            f"{MODEL_OPTION}: '{name}' does not have one state for each piece: found states of shape {other[0]} for "
            f"{len(ids)} pieces; expected {expected}. {ANOTHER}"
        )
    if len(states) != n_states:
        raise ConfigError(
            f"{MODEL_OPTION}: '{name}' returns the states of {len(states) - 1} layers; expected {n_states - 1}. "
            f"{ANOTHER}"
        )
    if not all(torch.isfinite(layer).all() for layer in states):
        raise ConfigError(
            f"{MODEL_OPTION}: '{name}' returns states that are not finite numbers. Its weights or its configuration "
            "are damaged: copy the model again."
        )


@torch.no_grad()
def check_direction(run: Run, ids: Tensor, name: str) -> None:
    """Check that the first piece sees those after it, as a target word has to see the source.

    Args:
        run: the function that runs the model.
        ids: the pieces to run it on, (pieces,), at least two different ones.
        name: the name of the model, for errors.

    Raises:
        ConfigError: when no state of the first piece changes with the other pieces.
    """
    other = torch.cat([ids[:1], ids[1:].flip(0)])
    pair = torch.stack([ids, other])
    states = run(pair, torch.ones_like(pair, dtype=torch.bool))
    first, last = (max(_difference(layer[0, at], layer[1, at], layer) for layer in states) for at in (0, -1))
    if last > NO_CHANGE >= first:
        raise ConfigError(
            f"{MODEL_OPTION}: '{name}' reads from left to right: no state of the first piece depends on the "
            "pieces after it. The target comes first, so no target word would see the source. Name an encoder, or a "
            "model whose configuration makes its attention bidirectional."
        )


@torch.no_grad()
def check_padding(run: Run, ids: Tensor, pad_id: int, name: str) -> None:
    """Check that the states of a segment are the same alone and padded, beside a longer segment.

    Args:
        run: the function that runs the model.
        ids: the pieces to run it on, (pieces,).
        pad_id: the piece that stands for padding.
        name: the name of the model, for errors.

    Raises:
        ConfigError: when they differ by more than rounding.
    """
    short = ids[: len(ids) // 2]
    batch = torch.stack([ids, ids])
    batch[0, len(short) :] = pad_id
    mask = torch.ones_like(batch, dtype=torch.bool)
    mask[0, len(short) :] = False
    alone, beside = run(short[None], mask[:1, : len(short)]), run(batch, mask)
    found = max(_difference(one, two[:1, : len(short)], one) for one, two in zip(alone, beside, strict=True))
    if not found <= LEAK:
        raise ConfigError(
            f"{MODEL_OPTION}: '{name}' sees padding: the states of a segment change by {found:.2g} standard deviations "
            "beside a longer segment, so that its result would depend on the other segments of its batch. "
            f"{ANOTHER}"
        )


def _difference(one: Tensor, other: Tensor, scale: Tensor) -> float:
    """Return the largest absolute difference, in standard deviations of ``scale``."""
    return float((one.float() - other.float()).abs().max() / scale.float().std().clamp(min=1e-12))


def count_embeddings(body: Any, name: str) -> int:
    """Return the number of pieces that have an embedding in a model.

    Raises:
        ConfigError: when the model has no embeddings of pieces.
    """
    try:
        return int(body.get_input_embeddings().weight.shape[0])
    except (NotImplementedError, AttributeError) as error:  # such as a model of speech
        raise ConfigError(f"{MODEL_OPTION}: '{name}' has no embeddings of pieces of text. {ANOTHER}") from error


def check_embeddings(tokenizer: Any, n_embeddings: int, name: str) -> None:
    """Check that every piece of a tokenizer has an embedding.

    Args:
        tokenizer: the tokenizer, of the library ``tokenizers``.
        n_embeddings: the number of embeddings of the model.
        name: the name of the model, for errors.

    Raises:
        ConfigError: when a piece has none.
    """
    added = {index: token.content for index, token in tokenizer.get_added_tokens_decoder().items()}
    largest = max(tokenizer.get_vocab_size(with_added_tokens=False) - 1, *added, -1)
    if largest < n_embeddings:
        return
    token = added.get(largest) or tokenizer.id_to_token(largest)
    raise ConfigError(
        f"{MODEL_OPTION}: '{name}' has {n_embeddings} embeddings, but its tokenizer has a piece with the index "
        f"{largest} ({token!r}). Remove the added tokens that the model was not trained on, or save the model again "
        "after resize_token_embeddings."
    )
