"""The features that an encoder passes to a decoder, and a decoder to the outputs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Features:
    """The vectors of the words and the sentences of a batch, with zeros for padding.

    ``source`` is None if no output reads the source side, ``sentence`` if the encoder does not compute it.
    """

    target: Tensor
    """(batch, target_words, hidden)."""

    source: Tensor | None = None
    """(batch, source_words, hidden)."""

    sentence: Tensor | None = None
    """(batch, hidden)."""

    units: Tensor | None = None
    """(batch, units, hidden), of the same size as those of target words; None if no output reads them."""


@dataclass(frozen=True)
class FeatureSizes:
    """The sizes of the last dimension of :class:`Features`; None for features that are not computed."""

    target: int
    source: int | None = None
    sentence: int | None = None


@dataclass(frozen=True)
class TokenStates:
    """The tokens that a language model has to predict, and the states to predict them from."""

    states: Tensor
    """(tokens, dim)."""

    tokens: Tensor
    """The tokens to predict, int64 (tokens,)."""

    weight: Tensor
    """The output embeddings, (vocabulary, dim)."""

    bias: Tensor | None
    """(vocabulary,)."""

    n_samples: int = 0
    """The number of words to sample for the training softmax; 0 uses the full vocabulary."""
