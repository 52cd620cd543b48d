"""What passes from an encoder to a decoder, and from a decoder to the outputs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Features:
    """Vectors of the words of some segments, and of the segments; zeros where there is no word.

    ``source`` is None where no output reads the source side, ``sentence`` where an encoder makes none.
    """

    target: Tensor
    """(batch, target_words, hidden)."""

    source: Tensor | None = None
    """(batch, source_words, hidden)."""

    sentence: Tensor | None = None
    """(batch, hidden)."""


@dataclass(frozen=True)
class FeatureSizes:
    """Sizes of the last dimension of :class:`Features`; None where a part is not there."""

    target: int
    source: int | None = None
    sentence: int | None = None


@dataclass(frozen=True)
class TokenStates:
    """The tokens that a language model is asked for, and what it has to predict them from."""

    states: Tensor
    """(tokens, dim)."""

    tokens: Tensor
    """That are there, int64 (tokens,)."""

    weight: Tensor
    """Output embeddings, (vocabulary, dim)."""

    bias: Tensor | None
    """(vocabulary,)."""

    n_samples: int = 0
    """Words to draw for a softmax over some of the vocabulary, in training; 0 is over all of it."""
