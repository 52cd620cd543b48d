"""Statistics and losses of a softmax over a large vocabulary, computed without holding all logits in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LOGITS_AT_ONCE = 2**24
"""The number of logits held in memory at a time, 64 MB in single precision."""

EXPORTED_PART = 2**13
"""The number of vocabulary entries whose logits an exported system holds in memory at a time, for all tokens."""


@dataclass(frozen=True)
class TokenStatistics:
    """The statistics of some tokens under a language model."""

    log_probabilities: Tensor
    """The log-probability of each token, float (tokens,)."""

    correct: Tensor
    """Whether the token is the most likely one, bool (tokens,)."""


def _chunks(states: Tensor, vocabulary_size: int) -> Iterator[slice]:
    size = max(1, LOGITS_AT_ONCE // vocabulary_size)
    return (slice(start, start + size) for start in range(0, len(states), size))


@torch.no_grad()
def most_likely(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the token with the highest logit for each state.

    Args:
        states: the states, (tokens, dim).
        weight: the output embeddings, (vocabulary, dim).
        bias: the biases, (vocabulary,).

    Returns:
        The tokens, int64 (tokens,).
    """
    if torch.compiler.is_exporting():
        return _most_likely_by_vocabulary(states, weight, bias)
    best = [functional.linear(states[chunk], weight, bias).argmax(dim=-1) for chunk in _chunks(states, len(weight))]
    return torch.cat(best) if best else torch.zeros(0, dtype=torch.int64, device=states.device)


def _most_likely_by_vocabulary(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute :func:`most_likely` in chunks of the vocabulary, whose number does not depend on the tokens."""
    best: tuple[Tensor, Tensor] | None = None
    for start in range(0, len(weight), EXPORTED_PART):
        part = slice(start, start + EXPORTED_PART)
        top, place = functional.linear(states, weight[part], None if bias is None else bias[part]).max(dim=-1)
        if best is None:
            best = top, place
        else:
            better = top > best[0]  # the first of equal logits wins, as with argmax
            best = torch.where(better, top, best[0]), torch.where(better, place + start, best[1])
    assert best is not None
    return best[1]


@torch.no_grad()
def statistics(states: Tensor, tokens: Tensor, weight: Tensor, bias: Tensor | None = None) -> TokenStatistics:
    """Compute exact log-probabilities of tokens, and whether each is the most likely one.

    Args:
        states: the states, (tokens, dim).
        tokens: the actual tokens, int64 (tokens,).
        weight: the output embeddings, (vocabulary, dim).
        bias: the biases, (vocabulary,).
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
    """Estimate the cross-entropy from a sample of the vocabulary that all tokens share (Jean et al. 2015, P15-1001).

    Words are sampled log-uniformly, since the vocabulary is in the order of frequency. Each sampled word is weighted by
    the inverse of its probability of being sampled, which makes the estimate of the softmax's sum unbiased.

    Args:
        states: the states, (tokens, dim).
        tokens: the actual tokens, int64 (tokens,).
        weight: the output embeddings, (vocabulary, dim).
        bias: the biases, (vocabulary,).
        n_samples: the number of words to sample, with replacement.

    Returns:
        The mean over tokens; a scalar, in nats. Only the embeddings of actual and sampled words get gradients.
    """
    size = len(weight)
    uniform = torch.rand(n_samples, dtype=torch.float64, device=states.device)
    drawn = torch.unique((torch.exp(uniform * math.log(size + 1)) - 1).long().clamp(max=size - 1))
    ranks = drawn.double()
    share = torch.log((ranks + 2) / (ranks + 1)) / math.log(size + 1)
    # The probability that a word is sampled at least once.
    log_probability = torch.log(-torch.expm1(n_samples * torch.log1p(-share))).to(states.dtype)
    own = (states * weight[tokens]).sum(dim=-1) + (0.0 if bias is None else bias[tokens])
    others = functional.linear(states, weight[drawn], None if bias is None else bias[drawn]) - log_probability
    others = others.masked_fill(tokens.unsqueeze(-1) == drawn, float("-inf"))
    logits = torch.cat([own.unsqueeze(-1), others], dim=-1)
    return -logits.float().log_softmax(dim=-1)[:, 0].mean()


def mismatch_features(states: Tensor, tokens: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compare tokens with those that a language model expects in their place (Fan et al. 2019, arXiv 1807.09433).

    Args:
        states: the states, (tokens, dim).
        tokens: the actual tokens, int64 (tokens,).
        weight: the output embeddings, (vocabulary, dim).
        bias: the biases, (vocabulary,).

    Returns:
        The logit of the token, the highest logit, their difference, and 1 if the most likely token is another one,
        (tokens, 4). Gradients flow through the logits.
    """
    best = most_likely(states, weight, bias)
    # Recompute only the two logits that are read, since all logits with their gradients would take too much memory.
    own, top = (
        (states.float() * weight[chosen].float()).sum(dim=-1) + (0.0 if bias is None else bias[chosen].float())
        for chosen in (tokens, best)
    )
    return torch.stack([own, top, own - top, (best != tokens).float()], dim=-1).to(states.dtype)
