"""Vectors of single words from a pretrained encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kiwi.data.batch import pad
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.special_pieces import single_template
from kiwi.exceptions import ConfigError
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.pretrained.probes import (
    PROBE_LENGTH,
    check_embeddings,
    check_padding,
    check_states,
    count_embeddings,
    example_ids,
    explain_errors,
)
from kiwi.systems.pretrained.tokenizer import check_text

BATCH_SIZE = 256

MAX_PIECES = 64
"""The maximum number of pieces of a word; longer words are cut."""


@torch.inference_mode()
def word_vectors(encoder: str, words: Sequence[str], layer: int | None = None) -> NDArray[np.float32]:
    """Compute the vector of each word in isolation, as the mean over its pieces.

    Args:
        encoder: the name of the encoder on the model hub, or a local folder.
        words: the words, without spaces.
        layer: the layer whose outputs are used, 0 being the embeddings; None uses the one at two thirds of the depth.

    Returns:
        The vectors, (words, hidden).

    Raises:
        ConfigError: when the encoder cannot be loaded, sees padding, or has no such layer.
    """
    pretrained = Pretrained.from_model(encoder)
    model: Any = pretrained.build_model().eval()
    n_layers = _check_model(model, encoder, pretrained)
    layer = round(n_layers * 2 / 3) if layer is None else layer
    if not 0 <= layer <= n_layers:
        raise ConfigError(f"layer: found {layer}; expected 0 (embeddings) to {n_layers}, the layers of {encoder}.")
    pieces = PieceTokenizer(pretrained.tokenizer, 512)
    check_text(pieces, {"text": words}, encoder)
    before, after = single_template(pretrained.tokenizer)
    room = MAX_PIECES - len(before) - len(after)
    encoded = [pieces.encode([word])[0][:room] for word in words]
    order = sorted(range(len(words)), key=lambda index: len(encoded[index]))
    vectors = np.zeros((len(words), model.config.hidden_size), dtype=np.float32)
    for start in range(0, len(order), BATCH_SIZE):
        chosen = order[start : start + BATCH_SIZE]
        rows = [encoded[index] for index in chosen]
        ids = torch.from_numpy(pad([[*before, *row, *after] for row in rows], pieces.pad_id))
        there = torch.from_numpy(pad([[1] * (len(before) + len(row) + len(after)) for row in rows], 0))
        own = torch.from_numpy(pad([[0] * len(before) + [1] * len(row) + [0] * len(after) for row in rows], 0))
        states = model(input_ids=ids, attention_mask=there, output_hidden_states=True).hidden_states[layer]
        weights = own.float().unsqueeze(-1)
        vectors[chosen] = ((states * weights).sum(dim=1) / weights.sum(dim=1)).numpy()
    return vectors


def _check_model(model: Any, name: str, pretrained: Pretrained) -> int:
    """Return the number of layers of a model, after checking that its states do not depend on padding."""

    def run(ids: torch.Tensor, mask: torch.Tensor) -> Any:
        return model(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True).hidden_states

    with explain_errors(name, model.config):
        n_layers, n_embeddings = int(model.config.num_hidden_layers), count_embeddings(model, name)
        check_embeddings(pretrained.tokenizer, n_embeddings, name)
        ids = example_ids(n_embeddings, PROBE_LENGTH, [0])
        check_states(run, ids, (n_layers + 1, model.config.hidden_size), name)
        check_padding(run, ids, 0, name)
    return n_layers
