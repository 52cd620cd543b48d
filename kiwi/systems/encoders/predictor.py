"""The predictor: a language model that says each target word from the source and from all other target words.

Kim, Lee and Na 2017: Predictor-Estimator using Multilevel Task Learning with Stack Propagation for Neural Quality
Estimation, W17-4763. Wang et al. 2018: Alibaba Submission for WMT18 Quality Estimation Task, W18-6465, for the mismatch
features.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.text.vocabulary import BEGIN_INDEX, END_INDEX, Vocabulary
from kiwi.modules.attention import Attention
from kiwi.modules.language_modelling import mismatch_features
from kiwi.modules.recurrent import run_recurrent
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.encoders.word_embeddings import EmbeddingsConfig, build_embeddings
from kiwi.systems.features import Features, FeatureSizes, TokenStates
from kiwi.systems.pretrained.model import Pretrained
from kiwi.utils.io import BaseConfig, mistakes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Prediction:
    """What the predictor makes of a batch."""

    source: Tensor
    """States of the source words, (batch, source_words, 2 * hidden)."""

    around: Tensor
    """States of what stands before and behind each target word, (batch, target_words, 2 * hidden)."""

    readout: Tensor
    """What the word is predicted from, (batch, target_words, out_embeddings_dim)."""


class PredictorEncoder(Encoder):
    """A conditional language model in both directions, and what it says of each word as the word's features.

    Args:
        config: sizes and embeddings.
        vocabularies: of source and target.
        with_source: whether to make features of the source words too.
    """

    class Config(BaseConfig):
        """Form of ``system.model.encoder`` for Predictor and PredictorEstimator."""

        hidden_size: PositiveInt = 400
        """Size of the recurrent states, in each direction."""

        rnn_layers: PositiveInt = 3
        """Recurrent layers, on each side."""

        dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
        """Dropout between recurrent layers, and of what words are predicted from."""

        share_embeddings: bool = False
        """Use the embeddings of target words for the prediction too."""

        out_embeddings_dim: PositiveInt | None = None
        """Size of the embeddings that words are predicted with; unset, that of target words."""

        use_mismatch_features: bool = False
        """Add how far the word is from the one that was expected: its logit, the highest logit, their difference, and
        whether they are of different words (Fan et al. 2019, arXiv 1807.09433)."""

        sampled_words: NonNegativeInt = 4096
        """In training, compute the softmax over this many words, drawn anew for each batch, where the vocabulary is
        more than twice as large; 0 always computes it over all words. Metrics are always exact."""

        embeddings: EmbeddingsConfig = EmbeddingsConfig()
        """Vectors of source and target words."""

        encode_source: bool | None = None
        """Taken from configurations of OpenKiwi, and not used: whether source words have features follows from the
        outputs."""

        @model_validator(mode="after")
        def check_embeddings(self) -> PredictorEncoder.Config:
            """Words only; and one table has one size."""
            wrong = {
                f"embeddings.{field}": "the predictor reads words only; remove it"
                for field in (const.SOURCE_POS, const.TARGET_POS)
                if getattr(self.embeddings, field) is not None
            }
            if self.share_embeddings and self.out_embeddings_dim not in (None, self.embeddings.target.dim):
                wrong["out_embeddings_dim"] = (
                    f"share_embeddings makes it embeddings.target.dim, {self.embeddings.target.dim}; remove one of them"
                )
            if self.share_embeddings and self.embeddings.target.sparse_embeddings:
                wrong["embeddings.target.sparse_embeddings"] = (
                    "share_embeddings predicts every word with them, so gradients are dense; remove one of them"
                )
            if wrong:
                raise mistakes("PredictorEncoder.Config", wrong)
            return self

    def __init__(self, config: Config, vocabularies: Mapping[str, Vocabulary], *, with_source: bool) -> None:
        super().__init__()
        if config.encode_source is not None:
            logger.info("system.model.encoder.encode_source is not used: the outputs say what is encoded.")
        self.config = config
        self.with_source = with_source
        self.embeddings = build_embeddings(config.embeddings, vocabularies)
        hidden, target_dim = config.hidden_size, config.embeddings.target.dim
        between = config.dropout if config.rnn_layers > 1 else 0.0
        options: dict[str, Any] = {"num_layers": config.rnn_layers, "batch_first": True, "dropout": between}
        self.source_rnn = nn.LSTM(config.embeddings.source.dim, hidden, bidirectional=True, **options)
        # Two stacks, not one of both directions: its second layer would have seen the word that is to be predicted.
        self.forward_rnn = nn.LSTM(target_dim, hidden, **options)
        self.backward_rnn = nn.LSTM(target_dim, hidden, **options)
        self.attention = Attention(2 * hidden, 2 * hidden)
        out_dim = config.out_embeddings_dim or target_dim
        self.dropout = nn.Dropout(config.dropout)
        self.readout = nn.Linear(2 * hidden + 2 * target_dim + 2 * hidden, 2 * out_dim)
        n_words = len(vocabularies[const.TARGET])
        self.output = None if config.share_embeddings else nn.Parameter(torch.randn(n_words, out_dim) * out_dim**-0.5)
        self.output_bias = nn.Parameter(torch.zeros(n_words))
        self.sizes = FeatureSizes(
            target=out_dim + 2 * hidden + 4 * config.use_mismatch_features, source=2 * hidden if with_source else None
        )

    @classmethod
    def input_fields(cls, config: BaseConfig) -> list[str]:
        """Source and target."""
        return [const.SOURCE, const.TARGET]

    @classmethod
    def build(
        cls,
        config: BaseConfig,
        vocabularies: Mapping[str, Vocabulary],
        pretrained: Pretrained | None = None,
        *,
        with_source: bool,
        with_language_model: bool = False,
    ) -> Self:
        """As :meth:`Encoder.build`; the language model is always there."""
        assert isinstance(config, cls.Config)
        return cls(config, vocabularies, with_source=with_source)

    @property
    def output_embeddings(self) -> Tensor:
        """What words are predicted with, (vocabulary, out_embeddings_dim)."""
        if self.output is not None:
            return self.output
        table: Any = self.embeddings[const.TARGET]
        weight: Tensor = table.tokens.weight
        return weight

    def forward(self, batch: QEBatch[Tensor]) -> Features:
        """Features before and after the prediction of each word, and mismatch features if they are asked for."""
        assert batch.target is not None
        found, weight, bias = self._predict(batch), self.output_embeddings, self.output_bias
        # How much each part of the readout speaks for the word that is there, then the states around it.
        parts = [found.readout * weight[batch.target], found.around]
        if self.config.use_mismatch_features:
            flat = mismatch_features(found.readout.flatten(0, 1), batch.target.flatten(), weight, bias)
            parts.append(flat.view(*batch.target.shape, -1))
        target = torch.cat(parts, dim=-1) * batch.target_mask.unsqueeze(-1)
        return Features(target=target, source=found.source if self.with_source else None)

    def language_model(self, batch: QEBatch[Tensor]) -> TokenStates:
        """As :meth:`Encoder.language_model`: every target word is asked for."""
        assert batch.target is not None
        mask, n_words = batch.target_mask, len(self.output_bias)
        n_samples = self.config.sampled_words if self.training and n_words > 2 * self.config.sampled_words else 0
        readout = self._predict(batch).readout
        return TokenStates(readout[mask], batch.target[mask], self.output_embeddings, self.output_bias, n_samples)

    def _predict(self, batch: QEBatch[Tensor]) -> _Prediction:
        assert batch.source is not None
        assert batch.target is not None
        source, _ = run_recurrent(
            self.source_rnn, self.embeddings[const.SOURCE](batch.source), batch.source_mask.sum(dim=1)
        )
        # <bos>, the words, <eos>; what follows is <eos> too, and read by nobody.
        words = batch.target.masked_fill(~batch.target_mask, END_INDEX)
        begin, end = (words.new_full((words.shape[0], 1), index) for index in (BEGIN_INDEX, END_INDEX))
        vectors = self.embeddings[const.TARGET](torch.cat([begin, words, end], dim=1))  # (batch, words + 2, dim)
        n_words, width = batch.target_mask.sum(dim=1), words.shape[1]
        before, _ = run_recurrent(self.forward_rnn, vectors[:, :-1], n_words + 1)
        behind, _ = run_recurrent(self.backward_rnn, _reversed(vectors[:, 1:], n_words), n_words + 1)
        # Before a word stands all up to its left neighbour, behind it all from <eos> back to its right neighbour.
        around = torch.cat([before[:, :width], _reversed(behind, n_words - 1)[:, :width]], dim=-1)
        neighbours = torch.cat([vectors[:, :width], vectors[:, 2:]], dim=-1)
        context = self.attention(around, source, batch.source_mask)
        halves = self.readout(self.dropout(torch.cat([around, neighbours, context], dim=-1)))
        readout = torch.maximum(*halves.chunk(2, dim=-1))  # maxout (Goodfellow et al. 2013, arXiv 1302.4389)
        return _Prediction(source, around, readout)


def _reversed(vectors: Tensor, last: Tensor) -> Tensor:
    """Each sequence from its last position back to its first; what comes then is its first, again and again.

    Args:
        vectors: (batch, positions, dim).
        last: position that each sequence begins with, int64 (batch,).
    """
    places = (last.unsqueeze(-1) - torch.arange(vectors.shape[1], device=last.device)).clamp(min=0)
    return vectors.gather(1, places.unsqueeze(-1).expand_as(vectors))
