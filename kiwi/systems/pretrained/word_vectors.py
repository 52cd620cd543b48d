"""Vectors of single words, from a pretrained encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kiwi.data.batch import pad
from kiwi.exceptions import ConfigError
from kiwi.systems.pretrained.model import Pretrained

WORDS_AT_ONCE = 256

LONGEST = 64
"""Pieces of a word that are read."""


@torch.inference_mode()
def word_vectors(encoder: str, words: Sequence[str], layer: int | None = None) -> NDArray[np.float32]:
    """What an encoder makes of each word, read alone: the mean over its pieces.

    Args:
        encoder: name on the model hub, or a local folder.
        words: without spaces.
        layer: whose outputs are taken, 0 being the embeddings; None takes the one at two thirds of the way up.

    Returns:
        (words, hidden).

    Raises:
        ConfigError: when the encoder cannot be had, or has no such layer.
    """
    pretrained = Pretrained.from_model(encoder)
    model: Any = pretrained.build_model().eval()
    if model.config.is_encoder_decoder:
        raise ConfigError(f"{encoder} is not an encoder; name one that reads text alone.")
    n_layers = model.config.num_hidden_layers
    layer = round(n_layers * 2 / 3) if layer is None else layer
    if not 0 <= layer <= n_layers:
        raise ConfigError(f"layer: found {layer}; expected 0 (embeddings) to {n_layers}, the layers of {encoder}.")
    pretrained.tokenizer.no_padding()
    pretrained.tokenizer.enable_truncation(LONGEST)
    encodings = pretrained.tokenizer.encode_batch(list(words))
    order = sorted(range(len(words)), key=lambda index: len(encodings[index].ids))
    vectors = np.zeros((len(words), model.config.hidden_size), dtype=np.float32)
    for start in range(0, len(order), WORDS_AT_ONCE):
        chosen = order[start : start + WORDS_AT_ONCE]
        ids = torch.from_numpy(pad([encodings[index].ids for index in chosen], 0))
        there = torch.from_numpy(pad([encodings[index].attention_mask for index in chosen], 0))
        special = torch.from_numpy(pad([encodings[index].special_tokens_mask for index in chosen], 1))
        states = model(input_ids=ids, attention_mask=there, output_hidden_states=True).hidden_states[layer]
        # Of a word that the tokenizer drops, the special pieces are all that there is.
        own = (special == 0) | (there.bool() & (special.min(dim=1, keepdim=True).values == 1))
        weights = own.float().unsqueeze(-1)
        vectors[chosen] = ((states * weights).sum(dim=1) / weights.sum(dim=1)).numpy()
    return vectors
