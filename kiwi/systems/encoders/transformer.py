"""The encoder of all systems that are built on a pretrained model of Transformers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.collate import Collate, Row
from kiwi.data.text.pieces import SOURCE_SIDE, TARGET_SIDE, PieceTokenizer
from kiwi.data.text.vocabulary import Vocabulary
from kiwi.data.text.words import words
from kiwi.modules.scalar_mix import ScalarMix
from kiwi.systems.batching import as_tensors
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.encoders.body import (
    attention_for_training,
    build_tokenizer,
    check_freezing,
    depths_of,
    enable_gradient_checkpointing,
    find_layers,
    frozen_modules,
    language_indices,
    takes_types,
)
from kiwi.systems.encoders.checks import check_encoder, check_training
from kiwi.systems.encoders.frozen_layers import FrozenStates, run_frozen_layers, skip_frozen_layers
from kiwi.systems.encoders.language_model_head import LanguageModelHead
from kiwi.systems.encoders.lora import add_adapters, merged_weights
from kiwi.systems.encoders.piece_tensors import Pieces
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig
from kiwi.systems.features import Features, FeatureSizes, TokenStates
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.pretrained.probes import explain_errors
from kiwi.utils.io import BaseConfig
from kiwi.utils.process.pace import Pace

logger = logging.getLogger(__name__)


class TransformerEncoder(Encoder):
    """A pretrained model that reads target and source as one sequence; the features of words are means over pieces.

    Args:
        config: the options of the encoder.
        pretrained: the pretrained model.
        with_source: whether to compute features of the source words too.
        with_language_model: whether :meth:`language_model` will be called.
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
        self.name = pretrained.model_name or f"the {pretrained.config.get('model_type')} of this system"
        with_head = config.reads_head or with_language_model
        model = pretrained.build_model(with_head=with_head, dropout=config.dropout)
        with explain_errors(self.name):
            self.body = model.base_model
            self.layers = find_layers(self.body)
            self.n_layer_results = 0
            self.can_skip_layers = False
            check_freezing(self.layers, config, self.name)
            self.pieces: PieceTokenizer = build_tokenizer(pretrained.tokenizer, self.body, config, self.name)
            self.takes_types = takes_types(self.body)
            size = int(self.body.config.hidden_size)
        self.languages = language_indices(config, self.body)
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
            frozen = frozen_modules(self.body, self.layers, config.freeze_layers)
        for module in frozen:
            module.requires_grad_(False)
        if config.gradient_checkpointing:
            enable_gradient_checkpointing(self.body)
        self.train()  # from_pretrained sets evaluation mode, and trainers leave modes as they are

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
        assert pretrained is not None
        return cls(config, pretrained, with_source=with_source, with_language_model=with_language_model)

    @override
    def prepare_training(self) -> None:
        if self.config.lora is not None:
            with explain_errors(self.name):
                add_adapters(self.body, self.layers[self.config.freeze_layers :], self.config.lora)
            self.train(self.training)

    @override
    def weights(self) -> dict[str, Tensor]:
        return merged_weights(self)

    @override
    def train(self, mode: bool = True) -> Self:
        """Set the mode of all but frozen modules, which stay in evaluation mode since dropout would only add noise."""
        super().train(mode)
        if self.is_frozen or self.config.freeze_layers:
            self.body.eval()
        if not self.is_frozen:
            for layer in self.layers[self.config.freeze_layers :]:
                layer.train(mode)
        return self

    @override
    def depths(self) -> dict[str, int]:
        """Return the number of layers above each weight, by name; weights outside of layers count as below all."""
        return {f"body.{name}": depth for name, depth in depths_of(self.body, self.layers).items()}

    @override
    def at_step(self, step: int) -> None:
        if self.is_frozen and not self.config.freeze and step >= self.config.freeze_for_number_of_steps:
            self.is_frozen = False
            self.train(self.training)

    @override
    def forward(self, batch: QEBatch[Tensor]) -> Features:
        pieces = Pieces.of(batch)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen):
            layers, head_states = self._layer_states(pieces, batch.frozen_states)
            extra = None
            if head_states is not None and self.head is not None:
                extra = self.head.features(head_states, pieces, self.config)
        last = layers[-1]
        mixed = self.mix(layers) if self.mix is not None else last  # (windows, pieces, hidden)
        if extra is not None:
            last, mixed = (torch.cat([states, extra.to(states.dtype)], dim=-1) for states in (last, mixed))
        words = pieces.means_of_words(mixed, (TARGET_SIDE, SOURCE_SIDE) if self.with_source else (TARGET_SIDE,))
        units = None
        if batch.unit_readings is not None and batch.unit_mask is not None:
            units = _apply(self.target_mlp, pieces.means_of_units(mixed, batch.unit_readings), batch.unit_mask)
        return Features(
            units=units,
            target=_apply(self.target_mlp, words[TARGET_SIDE], batch.target_mask),
            source=_apply(self.source_mlp, words[SOURCE_SIDE], batch.source_mask) if self.with_source else None,
            sentence=self.sentence_mlp(pieces.pooled(mixed, last, self.config.pooling)),
        )

    def model_inputs(self, pieces: Pieces) -> dict[str, Any]:
        """Return the arguments of the model."""
        inputs: dict[str, Any] = {"input_ids": pieces.ids, "attention_mask": pieces.mask.long()}
        if self.takes_types:
            inputs["token_type_ids"] = pieces.types
        if self.languages is not None:
            inputs["langs"] = torch.tensor(self.languages, device=pieces.ids.device)[pieces.sides]
        return inputs

    def _layer_states(self, pieces: Pieces, cached: Tensor | None) -> tuple[Sequence[Tensor], Tensor | None]:
        """Return the states of the layers that are read, lowest first, and of the head if a feature reads them."""
        n_frozen = self.config.freeze_layers
        cached = None if cached is None else cached.to(self.body.dtype)
        with (
            nullcontext() if cached is None else skip_frozen_layers(self.layers, n_frozen, cached, self.n_layer_results)
        ):
            states, head_states = self._run_model(pieces, with_head=self.config.reads_head)
        states = states[n_frozen:]
        return (states if cached is None else [cached, *states[1:]]), head_states

    def _run_model(self, pieces: Pieces, *, with_head: bool) -> tuple[Sequence[Tensor], Tensor | None]:
        """Return the states of all layers, lowest first, and those of the head."""
        inputs = {**self.model_inputs(pieces), "output_hidden_states": True, "return_dict": True}
        trains = self.training and torch.is_grad_enabled()
        # Gradient checkpointing runs the layers again outside of this method, where it must find the same attention.
        with attention_for_training(self.body) if trains and not self.config.gradient_checkpointing else nullcontext():
            if not with_head:
                return self.body(**inputs).hidden_states, None
            assert self.head is not None
            with self.head.states_as_logits() as model:
                result = model(**inputs)
        return result.hidden_states, result.logits

    @override
    def language_model(self, batch: QEBatch[Tensor]) -> TokenStates:
        """Return masked pieces of both sides, to be predicted by the language-modelling head."""
        assert self.head is not None, "built with a language model"
        pieces = Pieces.of(batch)
        ids, hidden = self.head.mask(pieces)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen):
            _, states = self._run_model(replace(pieces, ids=ids), with_head=True)
        assert states is not None
        weight, bias = self.head.output.weight, self.head.output.bias
        if self.is_frozen:  # the weight may be tied to the embeddings
            weight, bias = weight.detach(), None if bias is None else bias.detach()
        return TokenStates(states[hidden], pieces.ids[hidden], weight, bias)

    @property
    def keeps_states(self) -> bool:
        """Whether the outputs of the frozen layers are cached in training."""
        some_frozen = 0 < self.config.freeze_layers < len(self.layers)
        return some_frozen and self.config.keep_frozen_states != "no" and self.can_skip_layers

    @override
    def check(self, *, training: bool) -> None:
        check_encoder(self)
        if training:
            check_training(self)

    @torch.no_grad()
    def compute_states(
        self, rows: Sequence[Row], batches: Sequence[Sequence[int]], collate: Collate, directory: Path
    ) -> FrozenStates:
        """Compute the outputs of the frozen layers for all segments.

        Args:
            rows: the segments.
            batches: the indices of the rows of each batch.
            collate: the function that makes a batch of rows.
            directory: the directory of the memory-mapped file, if ``keep_frozen_states`` is ``disk``.
        """
        assert self.pieces is not None
        sides = ([words(row[field]) for row in rows] for field in (const.TARGET, const.SOURCE))
        n_pieces = sum(self.pieces.lengths(*sides))
        on_disk = self.config.keep_frozen_states == "disk"
        states = FrozenStates(n_pieces, self.body.config.hidden_size, directory if on_disk else None)
        pace = Pace()
        for number, indices in enumerate(batches, start=1):
            chosen = [rows[index] for index in indices]
            arrays = collate(chosen)
            inputs = self.model_inputs(Pieces.of(as_tensors(arrays, self.body.device)))
            outputs, self.n_layer_results = run_frozen_layers(
                self.layers, self.config.freeze_layers, partial(self.body, **inputs)
            )
            states.add(chosen, arrays, outputs.float().cpu().numpy())
            if pace.is_due():
                logger.info("Frozen layers: batch %d of %d", number, len(batches))
        return states


def _mlp(in_dim: int, out_dim: int | None) -> nn.Module:
    return nn.Identity() if out_dim is None else nn.Sequential(nn.Linear(in_dim, out_dim), nn.Tanh())


def _apply(mlp: nn.Module | None, words: Tensor, mask: Tensor) -> Tensor:
    """Apply layers to words, with zeros for padding."""
    assert mlp is not None
    features: Tensor = mlp(words)
    return features * mask.unsqueeze(-1)
