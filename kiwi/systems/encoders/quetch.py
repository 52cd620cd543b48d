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
        aligned_to = _aligned(batch.alignments, target, source)  # (batch, target_words, source_words)
        aligned = _mean_of_aligned(source, aligned_to, self.unaligned_target_word)
        target_features = torch.cat([target, aligned], dim=-1) * batch.target_mask.unsqueeze(-1)
        if self.unaligned_source_word is None:
            return Features(target=target_features)
        aligned = _mean_of_aligned(target, aligned_to.transpose(1, 2), self.unaligned_source_word)
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


def _aligned(pairs: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """Return 1 where a target word is aligned to a source word, else 0, float32 (batch, target_words, source_words).

    Args:
        pairs: the segment, source word and target word of each pair, without duplicates, (pairs, 3).
        target: the features of the target words, (batch, target_words, dim).
        source: the features of the source words, (batch, source_words, dim).
    """
    segments, source_words, target_words = pairs.unbind(dim=1)  # each (pairs,)
    none = torch.zeros(*target.shape[:2], source.shape[1], dtype=torch.float32, device=target.device)
    return none.index_put((segments, target_words, source_words), torch.ones_like(segments, dtype=none.dtype))


def _mean_of_aligned(windows: Tensor, aligned_to: Tensor, unaligned: Tensor) -> Tensor:
    """Return, for each word on one side, the mean of the windows that it is aligned to on the other side.

    Args:
        windows: the windows of the other side, (batch, other_words, dim).
        aligned_to: 1 where two words are aligned, else 0, (batch, words, other_words).
        unaligned: the features of words without an alignment, (dim,).

    Returns:
        The means, (batch, words, dim).
    """
    total = weighted_sums(aligned_to, windows)
    count = aligned_to.sum(dim=-1, keepdim=True)
    return torch.where(count > 0, (total / count.clamp(min=1)).to(windows.dtype), unaligned)
