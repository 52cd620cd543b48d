"""QUETCH: windows of words, concatenated with the windows of the words that they are aligned to.

Kreutzer, Schamoni and Riezler 2015: QUality Estimation from scraTCH (QUETCH), W15-3037.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.text.vocabulary import BEGIN_INDEX, END_INDEX, Vocabulary
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

        window_size: PositiveInt = 3
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
        segment, source_word, target_word = batch.alignments.unbind(dim=1)  # each (pairs,)
        source = self._windows(batch.source, batch.source_pos, batch.source_mask, const.SOURCE, const.SOURCE_POS)
        target = self._windows(batch.target, batch.target_pos, batch.target_mask, const.TARGET, const.TARGET_POS)
        aligned = _mean_of_aligned(
            source, (segment, source_word), (segment, target_word), target.shape[1], self.unaligned_target_word
        )
        target_features = torch.cat([target, aligned], dim=-1) * batch.target_mask.unsqueeze(-1)
        if self.unaligned_source_word is None:
            return Features(target=target_features)
        aligned = _mean_of_aligned(
            target, (segment, target_word), (segment, source_word), source.shape[1], self.unaligned_source_word
        )
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


def _mean_of_aligned(
    windows: Tensor, here: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor], n_words: int, unaligned: Tensor
) -> Tensor:
    """For each word on the one side, the mean of the windows it is aligned to on the other.

    Args:
        windows: of the other side, (batch, other_words, dim).
        here: segment and word on the other side of each pair, (pairs,) each.
        there: segment and word on this side of each pair, (pairs,) each.
        n_words: on this side.
        unaligned: (dim,), for words without a pair.

    Returns:
        (batch, n_words, dim).
    """
    rows = windows[here]  # (pairs, dim)
    place = there[0] * n_words + there[1]
    n_places = windows.shape[0] * n_words
    total = rows.new_zeros(n_places, rows.shape[-1]).index_add_(0, place, rows)
    count = rows.new_zeros(n_places).index_add_(0, place, torch.ones_like(place, dtype=rows.dtype)).unsqueeze(-1)
    mean = torch.where(count > 0, total / count.clamp(min=1), unaligned)
    return mean.view(windows.shape[0], n_words, -1)
