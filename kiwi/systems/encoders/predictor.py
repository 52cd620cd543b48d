"""The predictor: a language model that predicts each target word from the source and all other target words.

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
from pydantic import Field, NonNegativeInt, model_validator
from torch import Tensor, nn
from typing_extensions import override

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
from kiwi.utils.io import BaseConfig, Layers, Size, mistakes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Prediction:
    """The states of the predictor for a batch."""

    source: Tensor
    """The states of the source words, (batch, source_words, 2 * hidden)."""

    around: Tensor
    """The states of the words before and after each target word, (batch, target_words, 2 * hidden)."""

    readout: Tensor
    """The vectors that words are predicted from, (batch, target_words, out_embeddings_dim)."""


class PredictorEncoder(Encoder):
    """A bidirectional conditional language model, whose states and predictions are the features of the words.

    Args:
        config: the options of layers and embeddings.
        vocabularies: the vocabularies of source and target.
        with_source: whether to compute features of the source words too.
    """

    class Config(BaseConfig):
        """The options of ``system.model.encoder`` for Predictor and PredictorEstimator."""

        hidden_size: Size = 400
        """The size of the recurrent states in each direction."""

        rnn_layers: Layers = 3
        """The number of recurrent layers on each side."""

        dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
        """The dropout probability, in [0, 1), between recurrent layers and of the input of the prediction."""

        share_embeddings: bool = False
        """Whether to use the embeddings of target words as output embeddings too."""

        out_embeddings_dim: Size | None = None
        """The size of the output embeddings; by default that of the embeddings of target words."""

        use_mismatch_features: bool = False
        """Whether to add mismatch features (Fan et al. 2019, arXiv 1807.09433), which are the logit of the word, the
        highest logit, their difference, and whether the most likely word is another one."""

        sampled_words: NonNegativeInt = 4096
        """The number of words that are sampled for the training softmax, anew for each batch (Jean et al. 2015,
        arXiv 1412.2007). It has an effect if the vocabulary is more than twice as large; 0 always uses the full
        vocabulary. Metrics are always exact."""

        embeddings: EmbeddingsConfig = EmbeddingsConfig()
        """The embeddings of source and target words."""

        encode_source: bool | None = None
        """Accepted for compatibility with OpenKiwi and ignored. The outputs determine whether source words have
        features."""

        @model_validator(mode="after")
        def check_embeddings(self) -> PredictorEncoder.Config:
            """Reject part-of-speech tags, and options that conflict with ``share_embeddings``."""
            wrong = {
                f"embeddings.{field}": "the predictor reads words only; remove it"
                for field in (const.SOURCE_POS, const.TARGET_POS)
                if getattr(self.embeddings, field) is not None
            }
            if self.share_embeddings and self.out_embeddings_dim not in (None, self.embeddings.target.dim):
                wrong["out_embeddings_dim"] = (
                    f"share_embeddings makes it embeddings.target.dim ({self.embeddings.target.dim}); remove either"
                )
            if self.share_embeddings and self.embeddings.target.sparse_embeddings:
                wrong["embeddings.target.sparse_embeddings"] = (
                    "share_embeddings makes gradients dense; remove one of the two"
                )
            if wrong:
                raise mistakes("PredictorEncoder.Config", wrong)
            return self

    def __init__(self, config: Config, vocabularies: Mapping[str, Vocabulary], *, with_source: bool) -> None:
        super().__init__()
        if config.encode_source is not None:
            logger.info("system.model.encoder.encode_source is not used, since the outputs determine it.")
        self.config = config
        self.with_source = with_source
        self.embeddings = build_embeddings(config.embeddings, vocabularies)
        hidden, target_dim = config.hidden_size, config.embeddings.target.dim
        between = config.dropout if config.rnn_layers > 1 else 0.0
        options: dict[str, Any] = {"num_layers": config.rnn_layers, "batch_first": True, "dropout": between}
        self.source_rnn = nn.LSTM(config.embeddings.source.dim, hidden, bidirectional=True, **options)
        # Two stacks instead of one bidirectional stack, whose second layer would see the word to predict.
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
    @override
    def input_fields(cls, config: BaseConfig) -> list[str]:
        return [const.SOURCE, const.TARGET]

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

    @property
    def output_embeddings(self) -> Tensor:
        """The output embeddings, (vocabulary, out_embeddings_dim)."""
        if self.output is not None:
            return self.output
        table: Any = self.embeddings[const.TARGET]
        weight: Tensor = table.tokens.weight
        return weight

    @override
    def forward(self, batch: QEBatch[Tensor]) -> Features:
        assert batch.target is not None
        prediction, weight, bias = self._predict(batch), self.output_embeddings, self.output_bias
        # The contribution of each part of the readout to the logit of the word, then the states around the word.
        parts = [prediction.readout * weight[batch.target], prediction.around]
        if self.config.use_mismatch_features:
            flat = mismatch_features(prediction.readout.flatten(0, 1), batch.target.flatten(), weight, bias)
            parts.append(flat.view(*batch.target.shape, -1))
        target = torch.cat(parts, dim=-1) * batch.target_mask.unsqueeze(-1)
        return Features(target=target, source=prediction.source if self.with_source else None)

    @override
    def language_model(self, batch: QEBatch[Tensor]) -> TokenStates:
        """Return every target word of a batch, to be predicted by the language model."""
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
        # <bos>, the words, <eos>; the rest is padded with <eos>, which nothing reads.
        words = batch.target.masked_fill(~batch.target_mask, END_INDEX)
        begin, end = (words.new_full((words.shape[0], 1), index) for index in (BEGIN_INDEX, END_INDEX))
        vectors = self.embeddings[const.TARGET](torch.cat([begin, words, end], dim=1))  # (batch, words + 2, dim)
        n_words, width = batch.target_mask.sum(dim=1), words.shape[1]
        before, _ = run_recurrent(self.forward_rnn, vectors[:, :-1], n_words + 1)
        after, _ = run_recurrent(self.backward_rnn, _reversed(vectors[:, 1:], n_words), n_words + 1)
        # The state before a word covers everything up to its left neighbour, the one after it everything from <eos>
        # back to its right neighbour.
        around = torch.cat([before[:, :width], _reversed(after, n_words - 1)[:, :width]], dim=-1)
        neighbours = torch.cat([vectors[:, :width], vectors[:, 2:]], dim=-1)
        context = self.attention(around, source, batch.source_mask)
        halves = self.readout(self.dropout(torch.cat([around, neighbours, context], dim=-1)))
        readout = torch.maximum(*halves.chunk(2, dim=-1))  # maxout (Goodfellow et al. 2013, arXiv 1302.4389)
        return _Prediction(source, around, readout)


def _reversed(vectors: Tensor, last: Tensor) -> Tensor:
    """Reverse each sequence, starting at its last position and padding it with its first position.

    Args:
        vectors: the sequences, (batch, positions, dim).
        last: the last position of each sequence, int64 (batch,).
    """
    places = (last.unsqueeze(-1) - torch.arange(vectors.shape[1], device=last.device)).clamp(min=0)
    return vectors.gather(1, places.unsqueeze(-1).expand_as(vectors))
