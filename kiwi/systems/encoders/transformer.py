"""Pretrained encoders of Hugging Face: one class for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.collate import Collate, Row
from kiwi.data.pieces import SOURCE_SIDE, TARGET_SIDE, PieceTokenizer
from kiwi.data.tokenization import words
from kiwi.data.vocabulary import Vocabulary
from kiwi.exceptions import ConfigError
from kiwi.modules.scalar_mix import ScalarMix
from kiwi.systems.base import as_tensors
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.encoders.body import below, languages_of, layers_of, max_pieces_of
from kiwi.systems.encoders.frozen_layers import FrozenStates, run_below, starting_from
from kiwi.systems.encoders.language_model_head import LanguageModelHead
from kiwi.systems.encoders.lora import add_adapters, merged_weights
from kiwi.systems.encoders.piece_tensors import Pieces
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig
from kiwi.systems.features import Features, FeatureSizes, TokenStates
from kiwi.systems.pretrained import Pretrained
from kiwi.utils.io import BaseConfig


class TransformerEncoder(Encoder):
    """Target and source in one sequence, read by a pretrained model; pieces are averaged to words.

    Args:
        config: what is made of the model's layers, and which of them are trained.
        pretrained: the model.
        with_source: whether to make features of the source words too.
        with_language_model: whether its language-modelling head will be asked for masked pieces.
    """

    uses_pretrained = True
    source_parts = ("source_mlp.",)
    optional_parts = ("target_mlp.", "source_mlp.", "sentence_mlp.", "mix.")

    Config = TransformerEncoderConfig

    def __init__(
        self,
        config: TransformerEncoderConfig,
        pretrained: Pretrained,
        *,
        with_source: bool,
        with_language_model: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.pretrained = pretrained
        self.with_source = with_source
        with_head = config.reads_head or with_language_model
        model = pretrained.build_model(with_head=with_head)
        self.body = model.base_model
        body_config = self.body.config
        if body_config.is_encoder_decoder or getattr(body_config, "is_decoder", False):
            raise ConfigError(f"system.model.encoder.model_name: {pretrained.model_name} is not an encoder.")
        size = int(body_config.hidden_size)
        self.layers = layers_of(self.body)
        self.n_layer_results = 0
        if config.freeze_layers > len(self.layers):
            raise ConfigError(
                f"system.model.encoder.freeze_layers: found {config.freeze_layers}; expected at most "
                f"{len(self.layers)}, the layers of {pretrained.model_name or 'this model'}."
            )
        try:
            self.pieces = PieceTokenizer(
                pretrained.tokenizer,
                max_pieces_of(self.body),
                source_max_pieces=config.source_max_length,
                target_max_pieces=config.target_max_length,
            )
        except ValueError as error:
            raise ConfigError(f"system.model.encoder.model_name: {pretrained.model_name}: {error}.") from error
        self.takes_types = getattr(body_config, "type_vocab_size", 0) > 1 and body_config.model_type != "xlm"
        self.languages = languages_of(config, self.body)
        self.head = LanguageModelHead(model, self.pieces.mask_id) if with_head else None
        n_read = len(self.layers) - config.freeze_layers + 1
        self.mix = (
            ScalarMix(n_read, size, dropout=config.scalar_mix_dropout, layer_norm=config.scalar_mix_layer_norm)
            if config.scalar_mix
            else None
        )
        if config.reads_head and self.head is not None:
            size += self.head.n_features(config)
        n_vectors = {"mixed": 2, "compare": 5}.get(config.pooling, 1)
        out = config.hidden_size if config.use_mlp else None
        self.target_mlp = _mlp(size, out)
        self.source_mlp = _mlp(size, out) if with_source else None
        self.sentence_mlp = _mlp(n_vectors * size, out)
        self.sizes = FeatureSizes(
            target=out or size, source=(out or size) if with_source else None, sentence=out or n_vectors * size
        )
        self.is_frozen = config.freeze or config.freeze_for_number_of_steps > 0
        if config.freeze:
            frozen = [part for part in (self.body, self.head) if part is not None]
        else:
            frozen = below(self.body, self.layers, config.freeze_layers)
        for module in frozen:
            module.requires_grad_(False)
        if config.gradient_checkpointing:
            if not self.body.supports_gradient_checkpointing:
                raise ConfigError(
                    "system.model.encoder.gradient_checkpointing: Transformers has none for a "
                    f"{body_config.model_type}; remove it."
                )
            self.body.activation_checkpointing_enable()
        self.train()  # what comes from_pretrained is in evaluation mode, and trainers leave modes as they are

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
        """As :meth:`Encoder.build`."""
        assert isinstance(config, cls.Config)
        assert pretrained is not None
        return cls(config, pretrained, with_source=with_source, with_language_model=with_language_model)

    def prepare_training(self) -> None:
        """As :meth:`Encoder.prepare_training`: put the adapters in, if there are to be any."""
        if self.config.lora is not None:
            add_adapters(self.body, self.layers[self.config.freeze_layers :], self.config.lora)
            self.train(self.training)

    def weights(self) -> dict[str, Tensor]:
        """As :meth:`Encoder.weights`, adapters merged."""
        return merged_weights(self)

    def train(self, mode: bool = True) -> Self:
        """Frozen parts stay in evaluation mode: dropout there would only add noise."""
        super().train(mode)
        if self.is_frozen or self.config.freeze_layers:
            self.body.eval()
        if not self.is_frozen:
            for layer in self.layers[self.config.freeze_layers :]:
                layer.train(mode)
        return self

    def depths(self) -> dict[str, int]:
        """As :meth:`Encoder.depths`; whatever is outside the layers counts as below all of them."""
        above = {
            id(weight): len(self.layers) - 1 - index
            for index, layer in enumerate(self.layers)
            for weight in layer.parameters()
        }
        return {f"body.{name}": above.get(id(w), len(self.layers)) for name, w in self.body.named_parameters()}

    def at_step(self, step: int) -> None:
        """Start to train the model after ``freeze_for_number_of_steps``."""
        if self.is_frozen and not self.config.freeze and step >= self.config.freeze_for_number_of_steps:
            self.is_frozen = False
            self.train(self.training)

    def forward(self, batch: QEBatch[Tensor]) -> Features:
        """Words: means over their pieces. The sentence: as ``pooling`` says."""
        pieces = Pieces.of(batch)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen):
            layers, of_head = self._layers(pieces, batch.frozen_states)
            extra = None
            if of_head is not None and self.head is not None:
                extra = self.head.features(of_head, pieces, self.config)
        last = layers[-1]
        mixed = self.mix(layers) if self.mix is not None else last  # (windows, pieces, hidden)
        if extra is not None:
            last, mixed = (torch.cat([states, extra.to(states.dtype)], dim=-1) for states in (last, mixed))
        words = pieces.means_of_words(mixed, (TARGET_SIDE, SOURCE_SIDE) if self.with_source else (TARGET_SIDE,))
        return Features(
            target=_apply(self.target_mlp, words[TARGET_SIDE], batch.target_mask),
            source=_apply(self.source_mlp, words[SOURCE_SIDE], batch.source_mask) if self.with_source else None,
            sentence=self.sentence_mlp(self._sentence(mixed, last, pieces)),
        )

    def _options(self, pieces: Pieces) -> dict[str, Any]:
        """What the model is given."""
        options: dict[str, Any] = {"input_ids": pieces.ids, "attention_mask": pieces.mask.long()}
        if self.takes_types:
            options["token_type_ids"] = pieces.types
        if self.languages is not None:
            options["langs"] = torch.tensor(self.languages, device=pieces.ids.device)[pieces.sides]
        return options

    def _layers(self, pieces: Pieces, kept: Tensor | None) -> tuple[Sequence[Tensor], Tensor | None]:
        """Hidden states of the layers that are read, lowest first, and the head's states where a feature reads them."""
        n_frozen = self.config.freeze_layers
        kept = None if kept is None else kept.to(self.body.dtype)
        with nullcontext() if kept is None else starting_from(self.layers, n_frozen, kept, self.n_layer_results):
            states, of_head = self._read(pieces, with_head=self.config.reads_head)
        states = states[n_frozen:]
        return (states if kept is None else [kept, *states[1:]]), of_head

    def _read(self, pieces: Pieces, *, with_head: bool) -> tuple[Sequence[Tensor], Tensor | None]:
        """All hidden states, lowest first, and those of the head."""
        options = {**self._options(pieces), "output_hidden_states": True, "return_dict": True}
        if not with_head:
            return self.body(**options).hidden_states, None
        assert self.head is not None
        with self.head.states_as_logits() as model:
            result = model(**options)
        return result.hidden_states, result.logits

    def language_model(self, batch: QEBatch[Tensor]) -> TokenStates:
        """As :meth:`Encoder.language_model`: some pieces of both sides are masked, and asked for."""
        assert self.head is not None, "built with a language model"
        pieces = Pieces.of(batch)
        ids, hidden = self.head.mask(pieces)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen):
            _, states = self._read(replace(pieces, ids=ids), with_head=True)
        assert states is not None
        weight, bias = self.head.output.weight, self.head.output.bias
        if self.is_frozen:  # they may be the embeddings themselves
            weight, bias = weight.detach(), None if bias is None else bias.detach()
        return TokenStates(states[hidden], pieces.ids[hidden], weight, bias)

    @property
    def keeps_states(self) -> bool:
        """Whether training keeps the outputs of the frozen layers."""
        some_frozen = 0 < self.config.freeze_layers < len(self.layers)
        # The parts of XLM's layers lie in parallel lists, and cannot be skipped as one.
        return some_frozen and self.config.keep_frozen_states != "no" and self.body.config.model_type != "xlm"

    @torch.no_grad()
    def compute_states(
        self, rows: Sequence[Row], batches: Sequence[Sequence[int]], collate: Collate, directory: Path
    ) -> FrozenStates:
        """Outputs of the frozen layers for all segments.

        Args:
            rows: segments.
            batches: indices of those that are computed at once.
            collate: rows to a batch.
            directory: for a memory-mapped file, where one is asked for.
        """
        assert self.pieces is not None
        sides = ([words(row[field]) for row in rows] for field in (const.TARGET, const.SOURCE))
        n_pieces = sum(self.pieces.lengths(*sides))
        on_disk = self.config.keep_frozen_states == "disk"
        states = FrozenStates(n_pieces, self.body.config.hidden_size, directory if on_disk else None)
        for indices in batches:
            chosen = [rows[index] for index in indices]
            arrays = collate(chosen)
            options = self._options(Pieces.of(as_tensors(arrays, self.body.device)))
            below, self.n_layer_results = run_below(
                self.layers, self.config.freeze_layers, partial(self.body, **options)
            )
            states.add(chosen, arrays, below.float().cpu().numpy())
        return states

    def _sentence(self, mixed: Tensor, last: Tensor, pieces: Pieces) -> Tensor:
        """(batch, vectors * hidden)."""
        mean = pieces.means_of_segments
        pooling = self.config.pooling
        if pooling == "ll_mean":
            return mean(last, pieces.mask)
        vectors = []
        if pooling in ("first_token", "mixed", "compare"):
            column = torch.arange(pieces.mask.shape[1], device=pieces.mask.device)
            vectors.append(mean(mixed, (column == 0).expand_as(pieces.mask)))
        if pooling in ("mean", "mixed"):
            vectors.append(mean(mixed, pieces.mask))
        if pooling == "compare":
            target, source = (mean(mixed, pieces.of_words(side)) for side in (TARGET_SIDE, SOURCE_SIDE))
            vectors += [target, source, (target - source).abs(), target * source]
        return torch.cat(vectors, dim=-1)


def _mlp(in_dim: int, out_dim: int | None) -> nn.Module:
    return nn.Identity() if out_dim is None else nn.Sequential(nn.Linear(in_dim, out_dim), nn.Tanh())


def _apply(mlp: nn.Module | None, words: Tensor, mask: Tensor) -> Tensor:
    """Layers over words, zeros where there is none."""
    assert mlp is not None
    features: Tensor = mlp(words)
    return features * mask.unsqueeze(-1)
