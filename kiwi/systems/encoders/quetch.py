"""QUETCH: windows of words, concatenated with the windows of the words that they are aligned to.

Kreutzer, Schamoni and Riezler 2015: QUality Estimation from scraTCH (QUETCH), W15-3037.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.text.vocabulary import BEGIN_INDEX, END_INDEX, Vocabulary
from kiwi.modules.pooling import weighted_sums
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.encoders.word_embeddings import EmbeddingsConfig, build_embeddings
from kiwi.systems.features import Features, FeatureSizes
from kiwi.systems.pretrained.model import Pretrained
from kiwi.utils.io import BaseConfig


class QUETCHEncoder(Encoder):
    """The window of embeddings around each word, concatenated with the mean of the windows of the words that it is
    aligned to, or with a learned vector if it is not aligned.

    Args:
        config: the options of window and embeddings.
        vocabularies: the vocabularies of the configured fields.
        with_source: whether to compute features of the source words too.
    """

    source_parts = ("unaligned_source_word",)
    optional_parts = source_parts

    class Config(BaseConfig):
        """The options of ``system.model.encoder`` for NuQE."""

        window_size: Annotated[int, Field(gt=0, le=101)] = 3
        """The number of words in a window. The word itself is in the middle; an even size has one more to its right."""

        embeddings: EmbeddingsConfig
        """The embeddings of words and part-of-speech tags."""

    def __init__(self, config: Config, vocabularies: Mapping[str, Vocabulary], *, with_source: bool) -> None:
        super().__init__()
        self.window_size = config.window_size
        self.with_source = with_source
        self.embeddings = build_embeddings(config.embeddings, vocabularies)
        dims = {field: options.dim for field, options in config.embeddings.by_field().items()}
        source_dim = self.window_size * (dims[const.SOURCE] + dims.get(const.SOURCE_POS, 0))
        target_dim = self.window_size * (dims[const.TARGET] + dims.get(const.TARGET_POS, 0))
        self.unaligned_target_word = nn.Parameter(torch.randn(source_dim) * 0.1)
        self.unaligned_source_word = nn.Parameter(torch.randn(target_dim) * 0.1) if with_source else None
        size = source_dim + target_dim
        self.sizes = FeatureSizes(target=size, source=size if with_source else None)

    @classmethod
    @override
    def input_fields(cls, config: BaseConfig) -> list[str]:
        assert isinstance(config, cls.Config)
        return [*config.embeddings.by_field(), const.ALIGNMENTS]

    @classmethod
    @override
    def build(
        cls,
        config: BaseConfig,
        vocabularies: Mapping[str, Vocabulary],
        pretrained: Pretrained | None = None,
        *,
        with_source: bool,
        with_language_model: bool = False,
    ) -> Self:
        assert isinstance(config, cls.Config)
        return cls(config, vocabularies, with_source=with_source)

    @override
    def forward(self, batch: QEBatch[Tensor]) -> Features:
        assert batch.alignments is not None, "checked when the data is read"
        assert batch.source is not None
        assert batch.target is not None
        source = self._windows(batch.source, batch.source_pos, batch.source_mask, const.SOURCE, const.SOURCE_POS)
        target = self._windows(batch.target, batch.target_pos, batch.target_mask, const.TARGET, const.TARGET_POS)
        segments, of_source, of_target = batch.alignments.unbind(dim=1)  # each (pairs,)
        pairs = (segments, of_target, of_source)
        aligned = _means_of_aligned(pairs, target.shape[1], source, self.unaligned_target_word)
        target_features = torch.cat([target, aligned], dim=-1) * batch.target_mask.unsqueeze(-1)
        if self.unaligned_source_word is None:
            return Features(target=target_features)
        pairs = (segments, of_source, of_target)
        aligned = _means_of_aligned(pairs, source.shape[1], target, self.unaligned_source_word)
        source_features = torch.cat([source, aligned], dim=-1) * batch.source_mask.unsqueeze(-1)
        return Features(target=target_features, source=source_features)

    def _windows(self, words: Tensor, pos: Tensor | None, mask: Tensor, field: str, pos_field: str) -> Tensor:
        """Map indices (batch, words) to (batch, words, window_size * dim), padding segments with <bos> and <eos>."""
        before, after = (self.window_size - 1) // 2, self.window_size // 2

        def embed(indices: Tensor, name: str) -> Tensor:
            # The last word is followed by <eos>, never by padding, so that results do not depend on the batch.
            ended = indices.masked_fill(~mask, END_INDEX)
            begin = ended.new_full((ended.shape[0], before), BEGIN_INDEX)
            end = ended.new_full((ended.shape[0], after), END_INDEX)
            vectors: Tensor = self.embeddings[name](torch.cat([begin, ended, end], dim=1))
            return vectors

        vectors = embed(words, field)
        if pos_field in self.embeddings:
            assert pos is not None, "checked when the data is read"
            vectors = torch.cat([vectors, embed(pos, pos_field)], dim=-1)
        windows = vectors.unfold(1, self.window_size, 1)  # (batch, words, dim, window_size)
        return windows.transpose(2, 3).flatten(2)  # (batch, words, window_size * dim)


LARGEST_MATRIX = 2**24
"""The maximum number of elements of a matrix of aligned words; more words are processed in blocks."""

Pairs = tuple[Tensor, Tensor, Tensor]
"""The segment, the word on this side, and the one on the other side of each distinct pair; each (pairs,)."""


def _means_of_aligned(pairs: Pairs, n_words: int, windows: Tensor, unaligned: Tensor) -> Tensor:
    """Return, for each word on one side, the mean of the windows that it is aligned to on the other side.

    Args:
        pairs: the alignments.
        n_words: the number of words of this side, of the longest segment.
        windows: the windows of the other side, (batch, other_words, dim).
        unaligned: the features of words without an alignment, (dim,).

    Returns:
        The means, (batch, words, dim).
    """
    if torch.compiler.is_exporting() or n_words * windows.shape[0] * windows.shape[1] <= LARGEST_MATRIX:
        return _means_of_block(pairs, n_words, windows, unaligned)
    size = max(1, LARGEST_MATRIX // (windows.shape[0] * windows.shape[1]))
    segments, words, others = pairs
    blocks = []
    for start in range(0, n_words, size):
        chosen = (words >= start) & (words < start + size)
        block = (segments[chosen], words[chosen] - start, others[chosen])
        blocks.append(_means_of_block(block, min(size, n_words - start), windows, unaligned))
    return torch.cat(blocks, dim=1)


def _means_of_block(pairs: Pairs, n_words: int, windows: Tensor, unaligned: Tensor) -> Tensor:
    """Compute :func:`_means_of_aligned` by a product with a matrix that is 1 where two words are aligned, else 0."""
    none = torch.zeros(windows.shape[0], n_words, windows.shape[1], dtype=torch.float32, device=windows.device)
    aligned_to = none.index_put(pairs, torch.ones_like(pairs[0], dtype=none.dtype))  # (batch, words, other_words)
    total = weighted_sums(aligned_to, windows)
    count = aligned_to.sum(dim=-1, keepdim=True)
    return torch.where(count > 0, (total / count.clamp(min=1)).to(windows.dtype), unaligned)
