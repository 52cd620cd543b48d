from __future__ import annotations

import pytest
import torch

from kiwi.modules.pooling import masked_mean


@pytest.mark.parametrize(
    ("vectors", "mask", "expected"),
    [
        ([[1.0, 2.0], [3.0, 6.0]], [True, True], [2.0, 4.0]),
        ([[1.0, 2.0], [1e6, -1e6]], [True, False], [1.0, 2.0]),
        ([[1e6, 1e6], [3.0, 6.0]], [False, True], [3.0, 6.0]),
        ([[5.0, 5.0], [7.0, 7.0]], [False, False], [0.0, 0.0]),
    ],
)
def test_only_what_is_there_counts(vectors: list[list[float]], mask: list[bool], expected: list[float]) -> None:
    assert masked_mean(torch.tensor([vectors]), torch.tensor([mask])).tolist() == [expected]


def test_each_row_has_its_own_count() -> None:
    vectors = torch.tensor([[[2.0], [4.0], [6.0]], [[2.0], [4.0], [6.0]]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    assert masked_mean(vectors, mask).tolist() == [[4.0], [3.0]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_keeps_the_type_of_the_vectors(dtype: torch.dtype) -> None:
    assert masked_mean(torch.ones(1, 2, 3, dtype=dtype), torch.ones(1, 2, dtype=torch.bool)).dtype == dtype
