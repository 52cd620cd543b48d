"""What a softmax over a large vocabulary says of tokens, without ever holding all of its logits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LOGITS_AT_ONCE = 2**24
"""Logits held at a time: 64 MB in single precision."""

EXPORTED_PART = 2**13
"""Of the vocabulary, whose logits of all tokens an exported system holds at a time."""


@dataclass(frozen=True)
class TokenStatistics:
    """What a language model says of some tokens."""

    log_probabilities: Tensor
    """Of each token, float (tokens,)."""

    correct: Tensor
    """Whether the token is the likeliest, bool (tokens,)."""


def _chunks(states: Tensor, vocabulary_size: int) -> Iterator[slice]:
    size = max(1, LOGITS_AT_ONCE // vocabulary_size)
    return (slice(start, start + size) for start in range(0, len(states), size))


@torch.no_grad()
def likeliest(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The token with the highest logit after each state.

    Args:
        states: (tokens, dim).
        weight: (vocabulary, dim).
        bias: (vocabulary,).

    Returns:
        int64 (tokens,).
    """
    if torch.compiler.is_exporting():
        return _likeliest_in_parts(states, weight, bias)
    best = [functional.linear(states[chunk], weight, bias).argmax(dim=-1) for chunk in _chunks(states, len(weight))]
    return torch.cat(best) if best else torch.zeros(0, dtype=torch.int64, device=states.device)


def _likeliest_in_parts(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As :func:`likeliest`, in steps whose number does not depend on the tokens: a part of the vocabulary each."""
    best: tuple[Tensor, Tensor] | None = None
    for start in range(0, len(weight), EXPORTED_PART):
        part = slice(start, start + EXPORTED_PART)
        top, place = functional.linear(states, weight[part], None if bias is None else bias[part]).max(dim=-1)
        if best is None:
            best = top, place
        else:
            better = top > best[0]  # of equal ones the first, as argmax has it
            best = torch.where(better, top, best[0]), torch.where(better, place + start, best[1])
    assert best is not None
    return best[1]


@torch.no_grad()
def statistics(states: Tensor, tokens: Tensor, weight: Tensor, bias: Tensor | None = None) -> TokenStatistics:
    """Exact log-probabilities of tokens, and whether each is the likeliest.

    Args:
        states: (tokens, dim).
        tokens: that are there, int64 (tokens,).
        weight: (vocabulary, dim).
        bias: (vocabulary,).
    """
    log_probabilities = torch.zeros(len(states), dtype=torch.float32, device=states.device)
    correct = torch.zeros(len(states), dtype=torch.bool, device=states.device)
    for chunk in _chunks(states, len(weight)):
        logits = functional.linear(states[chunk], weight, bias).float()
        own = logits.gather(-1, tokens[chunk].unsqueeze(-1)).squeeze(-1)
        log_probabilities[chunk] = own - logits.logsumexp(dim=-1)
        correct[chunk] = logits.argmax(dim=-1) == tokens[chunk]
    return TokenStatistics(log_probabilities, correct)


def sampled_cross_entropy(
    states: Tensor, tokens: Tensor, weight: Tensor, bias: Tensor | None, n_samples: int
) -> Tensor:
    """An estimate of the cross-entropy from some of the vocabulary, the same for all tokens (Jean et al. 2015,
    P15-1001).

    The vocabulary stands in the order of frequency, so words are drawn log-uniformly, the frequent ones more often. In
    the sum over the vocabulary, a drawn word counts as often as the inverse of its probability to be drawn says, which
    makes the sum right on average.

    Args:
        states: (tokens, dim).
        tokens: that are there, int64 (tokens,).
        weight: (vocabulary, dim).
        bias: (vocabulary,).
        n_samples: words that are drawn, some of them more than once.

    Returns:
        The mean over tokens; a scalar, in nats. Its gradients reach the embeddings of the tokens and the drawn words.
    """
    size = len(weight)
    uniform = torch.rand(n_samples, dtype=torch.float64, device=states.device)
    drawn = torch.unique((torch.exp(uniform * math.log(size + 1)) - 1).long().clamp(max=size - 1))
    ranks = drawn.double()
    share = torch.log((ranks + 2) / (ranks + 1)) / math.log(size + 1)
    # Of n draws, at least one.
    log_probability = torch.log(-torch.expm1(n_samples * torch.log1p(-share))).to(states.dtype)
    own = (states * weight[tokens]).sum(dim=-1) + (0.0 if bias is None else bias[tokens])
    others = functional.linear(states, weight[drawn], None if bias is None else bias[drawn]) - log_probability
    others = others.masked_fill(tokens.unsqueeze(-1) == drawn, float("-inf"))
    logits = torch.cat([own.unsqueeze(-1), others], dim=-1)
    return -logits.float().log_softmax(dim=-1)[:, 0].mean()


def mismatch_features(states: Tensor, tokens: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """How far a token is from what the language model expects in its place (Fan et al. 2019, arXiv 1807.09433).

    Args:
        states: (tokens, dim).
        tokens: that are there, int64 (tokens,).
        weight: (vocabulary, dim).
        bias: (vocabulary,).

    Returns:
        (tokens, 4): the logit of the token, the highest logit, their difference, and 1 where the two are of
        different tokens. Gradients flow through the logits.
    """
    best = likeliest(states, weight, bias)
    # Only the two logits that are read: all of them, with their gradients, would be a vocabulary a token.
    own, top = (
        (states.float() * weight[chosen].float()).sum(dim=-1) + (0.0 if bias is None else bias[chosen].float())
        for chosen in (tokens, best)
    )
    return torch.stack([own, top, own - top, (best != tokens).float()], dim=-1).to(states.dtype)
