"""Checks of a pretrained encoder by short runs of its model, before training and after loading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kiwi.exceptions import ConfigError
from kiwi.systems.encoders.frozen_layers import StopForward, run_frozen_layers, skip_frozen_layers
from kiwi.systems.encoders.piece_tensors import Pieces
from kiwi.systems.pretrained.probes import (
    PROBE_LENGTH,
    check_direction,
    check_embeddings,
    check_padding,
    check_states,
    count_embeddings,
    example_ids,
    explain_errors,
    reason_of,
)

if TYPE_CHECKING:
    from kiwi.systems.encoders.transformer import TransformerEncoder

LONGEST_PROBE = 4096
"""The maximum number of pieces that :func:`check_length` runs the embeddings on."""


def check_encoder(encoder: TransformerEncoder) -> None:
    """Check that a model gives each piece a state that depends on all pieces of its segment, and on nothing else.

    Raises:
        ConfigError: when it does not.
    """
    assert encoder.pieces is not None
    run, name = partial(run_layers, encoder), encoder.name
    with _evaluating(encoder):
        check_embeddings(encoder.pieces.tokenizer, count_embeddings(encoder.body, name), name)
        ids = probe_ids(encoder)
        check_states(run, ids, (len(encoder.layers) + 1, encoder.body.config.hidden_size), name)
        check_direction(run, ids, name)
        check_padding(run, ids, encoder.pieces.pad_id, name)


@torch.no_grad()
def check_training(encoder: TransformerEncoder) -> None:
    """Check what only training relies on: the longest sequence, the head, and the skipping of frozen layers.

    Raises:
        ConfigError: when the model does not take sequences of its maximum length, or its head is not supported.
    """
    with _evaluating(encoder):
        ids = probe_ids(encoder)[None]
        mask = torch.ones_like(ids, dtype=torch.bool)
        check_length(encoder)
        if encoder.head is not None:
            encoder.head.check(model_inputs(encoder, ids, mask))
        n_frozen = encoder.config.freeze_layers
        if 0 < n_frozen < len(encoder.layers):
            encoder.can_skip_layers = _can_skip(encoder, n_frozen, ids, mask)
        encoder.train()
        run_layers(encoder, ids, mask)  # the classes of some models have requirements in training only


def model_inputs(encoder: TransformerEncoder, ids: Tensor, mask: Tensor) -> dict[str, Any]:
    """Return the arguments of the model for pieces without words, of both sides."""
    assert encoder.pieces is not None
    return encoder.model_inputs(Pieces.without_words(ids, mask, encoder.pieces.template.types))


def run_layers(encoder: TransformerEncoder, ids: Tensor, mask: Tensor) -> Sequence[Tensor]:
    """Return the states of all layers for pieces without words, (windows, pieces, hidden) each."""
    inputs = {**model_inputs(encoder, ids, mask), "output_hidden_states": True, "return_dict": True}
    states: Sequence[Tensor] = encoder.body(**inputs).hidden_states
    return states


def probe_ids(encoder: TransformerEncoder) -> Tensor:
    """Return pieces to probe a model with, without special ones, (pieces,)."""
    pieces = encoder.pieces
    assert pieces is not None
    template = pieces.template
    special = {*template.before, *template.between, *template.after, pieces.pad_id, pieces.unknown_id}
    length = min(PROBE_LENGTH, pieces.room)
    return example_ids(count_embeddings(encoder.body, encoder.name), length, special).to(encoder.body.device)


def check_length(encoder: TransformerEncoder) -> None:
    """Check that the embeddings of a model take sequences of its maximum length; its layers are not run.

    Raises:
        ConfigError: when they do not.
    """
    assert encoder.pieces is not None
    longest = min(encoder.pieces.room + encoder.pieces.template.length, LONGEST_PROBE)
    short = probe_ids(encoder)
    first: nn.Module = encoder.layers[0]
    first = first[0] if isinstance(first, nn.ModuleList) else first
    if not _reaches(encoder, first, short[None]):
        return
    try:
        _reaches(encoder, first, short.repeat(-(-longest // len(short)))[None, :longest])
    except Exception as error:
        raise ConfigError(
            f"system.model.encoder.model_name: '{encoder.name}' does not take sequences of {longest} pieces, the "
            f"length in its configuration (max_position_embeddings): {reason_of(error)} Correct its config.json."
        ) from error


@torch.no_grad()
def _reaches(encoder: TransformerEncoder, layer: nn.Module, ids: Tensor) -> bool:
    """Run a model up to a layer, and return whether it has reached it."""

    def stop(*_: object) -> None:
        raise StopForward(ids)

    hook = layer.register_forward_pre_hook(stop)
    try:
        run_layers(encoder, ids, torch.ones_like(ids, dtype=torch.bool))
    except StopForward:
        return True
    finally:
        hook.remove()
    return False


@torch.no_grad()
def _can_skip(encoder: TransformerEncoder, n_frozen: int, ids: Tensor, mask: Tensor) -> bool:
    """Return whether a model that continues from the states of its frozen layers computes what it computes as a whole.

    The layers of some models pass on more than states (T5), take them in another form (XLNet), or are no modules (XLM).
    """
    expected = run_layers(encoder, ids, mask)
    try:
        states, n_results = run_frozen_layers(encoder.layers, n_frozen, partial(run_layers, encoder, ids, mask))
        with skip_frozen_layers(encoder.layers, n_frozen, states, n_results):
            found = run_layers(encoder, ids, mask)
    except Exception:  # whatever the model says, its layers are then run in every epoch
        return False
    pairs = [(states, expected[n_frozen]), *zip(found[n_frozen + 1 :], expected[n_frozen + 1 :], strict=True)]
    return all(one.shape == two.shape and torch.allclose(one, two, rtol=1e-3, atol=1e-4) for one, two in pairs)


@contextmanager
def _evaluating(encoder: TransformerEncoder) -> Iterator[None]:
    """Evaluate an encoder in this block, without a change of the random state, and turn errors into sentences."""
    was_training = encoder.training
    encoder.eval()
    try:
        with torch.random.fork_rng(devices=[]), explain_errors(encoder.name, encoder.body.config):
            yield
    finally:
        encoder.train(was_training)
