from __future__ import annotations

import math

import pytest
import torch

from kiwi.modules.token_embeddings import TokenEmbeddings

WORDS = torch.tensor([[1, 2, 0], [2, 2, 2]])


def embeddings(dim: int = 4, **options: object) -> TokenEmbeddings:
    """Token i has the vector (i, 2i, 3i, ...); position p has (100p, 100p, ...)."""
    module = TokenEmbeddings(3, dim, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        module.tokens.weight.copy_(torch.arange(3.0)[:, None] * torch.arange(1.0, dim + 1))
        if module.positions is not None:
            module.positions.weight.copy_(100 * torch.arange(float(module.positions.num_embeddings))[:, None])
    return module


def test_a_vector_for_each_token() -> None:
    expected = [[[1, 2, 3, 4], [2, 4, 6, 8], [0, 0, 0, 0]], [[2, 4, 6, 8]] * 3]
    assert embeddings()(WORDS).tolist() == expected


def test_scale_is_the_root_of_dim() -> None:
    assert embeddings(dim=4, scale=True)(WORDS)[0, 0].tolist() == [2, 4, 6, 8]
    assert embeddings(dim=3, scale=True)(WORDS)[0, 0].tolist() == pytest.approx([math.sqrt(3) * i for i in (1, 2, 3)])


def test_positions_are_added_after_scaling_and_the_last_is_shared() -> None:
    vectors = embeddings(scale=True, max_positions=2)(WORDS)
    assert vectors[1].tolist() == [[4, 8, 12, 16], [104, 108, 112, 116], [104, 108, 112, 116]]


def test_layer_norm_comes_after_scale_and_positions() -> None:
    vectors = embeddings(scale=True, max_positions=2, layer_norm=True)(WORDS)
    plain = embeddings(scale=True, max_positions=2)(WORDS)
    centred = plain - plain.mean(-1, keepdim=True)
    expected = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(vectors, expected)
    assert vectors[0, 0].tolist() == pytest.approx([-1.3416, -0.4472, 0.4472, 1.3416], abs=1e-3)


def test_dropout_only_in_training() -> None:
    torch.manual_seed(0)
    module = embeddings(dim=1000, dropout=0.5)
    vectors = module(torch.tensor([[1]]))[0, 0]
    kept = vectors != 0
    assert 350 < kept.sum() < 650
    expected = 2 * torch.arange(1.0, 1001)
    assert torch.equal(vectors[kept], expected[kept])
    assert (module.eval()(torch.tensor([[1]])) != 0).all()


@pytest.mark.parametrize("freeze", [False, True])
def test_freeze_holds_the_token_vectors_only(freeze: bool) -> None:
    module = embeddings(freeze=freeze, max_positions=3)
    module(WORDS).sum().backward()
    assert (module.tokens.weight.grad is None) == freeze
    assert module.positions is not None
    assert module.positions.weight.grad is not None


@pytest.mark.parametrize("sparse", [False, True])
def test_sparse_gradients(sparse: bool) -> None:
    module = embeddings(sparse=sparse)
    module(WORDS).sum().backward()
    assert module.tokens.weight.grad is not None
    assert module.tokens.weight.grad.is_sparse == sparse
    assert module.tokens.weight.grad.to_dense()[:, 0].tolist() == [1.0, 1.0, 4.0]
