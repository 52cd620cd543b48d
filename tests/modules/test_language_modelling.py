import pytest
import torch
from torch.nn import functional

from kiwi.modules import language_modelling
from kiwi.modules.language_modelling import mismatch_features, most_likely, sampled_cross_entropy, statistics


@pytest.fixture(params=[2**24, 30])
def case(request, monkeypatch):
    """Six states of 4 over 11 tokens, at once and in chunks of two."""
    monkeypatch.setattr(language_modelling, "LOGITS_AT_ONCE", request.param)
    generator = torch.Generator().manual_seed(5)
    states, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((6, 4), (11, 4), (11,)))
    return states, torch.tensor([0, 3, 10, 3, 7, 1]), weight, bias


def test_statistics_are_those_of_the_whole_softmax(case):
    states, tokens, weight, bias = case
    logits = states @ weight.T + bias
    found = statistics(states, tokens, weight, bias)
    expected = -functional.cross_entropy(logits, tokens, reduction="none")
    torch.testing.assert_close(found.log_probabilities, expected)
    assert found.correct.tolist() == (logits.argmax(-1) == tokens).tolist()
    assert most_likely(states, weight, bias).tolist() == logits.argmax(-1).tolist()


def test_mismatch_features_by_hand(case):
    states, _, weight, bias = case
    logits = states @ weight.T + bias
    best = logits.argmax(-1)
    tokens = torch.where(torch.arange(6) % 2 == 0, best, (best + 1) % 11)
    own, top, difference, differs = mismatch_features(states, tokens, weight, bias).unbind(-1)
    torch.testing.assert_close(own, logits[torch.arange(6), tokens])
    torch.testing.assert_close(top, logits.max(-1).values)
    torch.testing.assert_close(difference, own - top)
    assert differs.tolist() == [0, 1, 0, 1, 0, 1]


def test_mismatch_features_pass_gradients_to_states_and_embeddings(case):
    states, tokens, weight, _ = case
    states.requires_grad_()
    weight.requires_grad_()
    mismatch_features(states, tokens, weight)[:, 0].sum().backward()
    torch.testing.assert_close(states.grad, weight.detach()[tokens])
    assert weight.grad[2].eq(0).all()
    assert weight.grad[3].ne(0).any()


def test_no_states():
    states, weight = torch.zeros(0, 4), torch.ones(3, 4)
    assert most_likely(states, weight).shape == (0,)
    assert mismatch_features(states, torch.zeros(0, dtype=torch.int64), weight).shape == (0, 4)


def test_the_sampled_loss_is_exact_when_everything_is_drawn(case):
    states, tokens, weight, bias = case
    exact = functional.cross_entropy(states @ weight.T + bias, tokens)
    torch.manual_seed(2)
    found = sampled_cross_entropy(states, tokens, weight, bias, 5000)
    torch.testing.assert_close(found, exact, atol=0.02, rtol=0.02)


def test_the_sampled_loss_estimates_the_exact_one():
    """On average over draws, of a vocabulary of which a tenth is drawn."""
    generator = torch.Generator().manual_seed(6)
    weight, states = (torch.randn(*shape, generator=generator) for shape in ((2000, 8), (50, 8)))
    ranks = torch.arange(2000, dtype=torch.float)
    bias = -torch.log(ranks + 1)  # frequent words first, as in a vocabulary
    tokens = torch.randint(100, (50,), generator=generator)
    exact = functional.cross_entropy(states @ weight.T + bias, tokens)
    torch.manual_seed(3)
    draws = torch.stack([sampled_cross_entropy(states, tokens, weight, bias, 400) for _ in range(200)])
    assert draws.mean().item() == pytest.approx(exact.item(), rel=0.05)
    assert draws.std() < 0.1 * exact


def test_the_sampled_loss_passes_gradients_to_few_embeddings():
    generator = torch.Generator().manual_seed(6)
    weight = torch.randn(1000, 4, generator=generator, requires_grad=True)
    states = torch.randn(3, 4, generator=generator, requires_grad=True)
    sampled_cross_entropy(states, torch.tensor([900, 7, 900]), weight, None, 20).backward()
    assert weight.grad is not None
    touched = weight.grad.abs().sum(dim=1) > 0
    assert touched[900]
    assert touched.sum() <= 22
    assert states.grad is not None
    assert states.grad.abs().sum() > 0
