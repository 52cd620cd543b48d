"""Pretrained encoders of Hugging Face: one class for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.collate import Collate, Row
from kiwi.data.pieces import SOURCE_SIDE, TARGET_SIDE, PieceTokenizer
from kiwi.data.vocabulary import Vocabulary
from kiwi.exceptions import ConfigError
from kiwi.modules.scalar_mix import ScalarMix
from kiwi.systems.base import as_tensors
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.encoders.frozen_layers import FrozenStates, run_below, starting_from
from kiwi.systems.encoders.piece_tensors import Pieces
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig
from kiwi.systems.features import Features, FeatureSizes
from kiwi.systems.pretrained import Pretrained
from kiwi.utils.io import BaseConfig


class TransformerEncoder(Encoder):
    """Target and source in one sequence, read by a pretrained model; pieces are averaged to words.

    Args:
        config: what is made of the model's layers, and which of them are trained.
        pretrained: the model.
        with_source: whether to make features of the source words too.
    """

    uses_pretrained = True
    source_parts = ("source_mlp.",)

    Config = TransformerEncoderConfig

    def __init__(self, config: TransformerEncoderConfig, pretrained: Pretrained, *, with_source: bool) -> None:
        super().__init__()
        self.config = config
        self.pretrained = pretrained
        self.with_source = with_source
        self.body = pretrained.build_model()
        body_config = self.body.config
        if body_config.is_encoder_decoder or getattr(body_config, "is_decoder", False):
            raise ConfigError(f"system.model.encoder.model_name: {pretrained.model_name} is not an encoder.")
        size = int(body_config.hidden_size)
        self.layers = _layers(self.body)
        self.n_layer_results = 0
        if config.freeze_layers > len(self.layers):
            raise ConfigError(
                f"system.model.encoder.freeze_layers: found {config.freeze_layers}; expected at most "
                f"{len(self.layers)}, the layers of {pretrained.model_name or 'this model'}."
            )
        try:
            self.pieces = PieceTokenizer(
                pretrained.tokenizer,
                _max_pieces(self.body),
                source_max_pieces=config.source_max_length,
                target_max_pieces=config.target_max_length,
            )
        except ValueError as error:
            raise ConfigError(f"system.model.encoder.model_name: {pretrained.model_name}: {error}.") from error
        self.takes_types = getattr(body_config, "type_vocab_size", 0) > 1 and body_config.model_type != "xlm"
        self.languages = _languages(config, body_config)
        n_read = len(self.layers) - config.freeze_layers + 1
        self.mix = (
            ScalarMix(n_read, size, dropout=config.scalar_mix_dropout, layer_norm=config.scalar_mix_layer_norm)
            if config.scalar_mix
            else None
        )
        n_vectors = {"mixed": 2, "compare": 5}.get(config.pooling, 1)
        out = config.hidden_size if config.use_mlp else None
        self.target_mlp = _mlp(size, out)
        self.source_mlp = _mlp(size, out) if with_source else None
        self.sentence_mlp = _mlp(n_vectors * size, out)
        self.sizes = FeatureSizes(
            target=out or size, source=(out or size) if with_source else None, sentence=out or n_vectors * size
        )
        self.is_frozen = config.freeze or config.freeze_for_number_of_steps > 0
        frozen = [self.body] if config.freeze else list(self._frozen_parts())
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
    ) -> Self:
        """As :meth:`Encoder.build`."""
        assert isinstance(config, cls.Config)
        assert pretrained is not None
        return cls(config, pretrained, with_source=with_source)

    def _frozen_parts(self) -> Iterator[nn.Module]:
        """What ``freeze_layers`` freezes for good: everything but the layers above the first n."""
        n = self.config.freeze_layers
        if n == 0:
            return
        yield from self.layers[:n]
        upper = {id(parameter) for layer in self.layers for parameter in layer.parameters()}
        for module in self.body.modules():
            own = list(module.parameters(recurse=False))
            if own and not any(id(parameter) in upper for parameter in own):
                yield module

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
            layers = self._layers(pieces, batch.frozen_states)
        last = layers[-1]
        mixed = self.mix(layers) if self.mix is not None else last  # (windows, pieces, hidden)
        words = {
            side: pieces.means_of_words(mixed, side, mask)
            for side, mask in ((TARGET_SIDE, batch.target_mask), (SOURCE_SIDE, batch.source_mask))
            if side == TARGET_SIDE or self.with_source
        }
        return Features(
            target=_apply(self.target_mlp, words[TARGET_SIDE], batch.target_mask),
            source=_apply(self.source_mlp, words[SOURCE_SIDE], batch.source_mask) if self.with_source else None,
            sentence=self.sentence_mlp(self._sentence(mixed, last, pieces, len(batch))),
        )

    def _options(self, pieces: Pieces) -> dict[str, Any]:
        """What the model is given."""
        options: dict[str, Any] = {"input_ids": pieces.ids, "attention_mask": pieces.mask.long()}
        if self.takes_types:
            options["token_type_ids"] = pieces.types
        if self.languages is not None:
            options["langs"] = torch.tensor(self.languages, device=pieces.ids.device)[pieces.sides]
        return options

    def _layers(self, pieces: Pieces, kept: Tensor | None) -> Sequence[Tensor]:
        """Hidden states of the layers that are read, lowest first."""
        n_frozen = self.config.freeze_layers
        kept = None if kept is None else kept.to(self.body.dtype)
        with nullcontext() if kept is None else starting_from(self.layers, n_frozen, kept, self.n_layer_results):
            result = self.body(**self._options(pieces), output_hidden_states=True, return_dict=True)
        states: Sequence[Tensor] = result.hidden_states[n_frozen:]
        return states if kept is None else [kept, *states[1:]]

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
        n_pieces = self.pieces.count([row[const.TARGET] for row in rows], [row[const.SOURCE] for row in rows])
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

    def _sentence(self, mixed: Tensor, last: Tensor, pieces: Pieces, n_segments: int) -> Tensor:
        """(batch, vectors * hidden)."""
        mean = partial(pieces.means_of_segments, n_segments=n_segments)
        pooling = self.config.pooling
        if pooling == "ll_mean":
            return mean(last, pieces.mask)
        vectors = []
        if pooling in ("first_token", "mixed", "compare"):
            first = torch.zeros_like(pieces.mask)
            first[:, 0] = True
            vectors.append(mean(mixed, first))
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


def _layers(body: Any) -> list[nn.Module]:
    """The layers of a model, lowest first."""
    count = getattr(body.config, "num_hidden_layers", None)
    lists = [module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if not lists:
        raise ConfigError(f"system.model.encoder: the layers of a {body.config.model_type} cannot be told apart.")
    if body.config.model_type == "xlm":  # the parts of its layers lie in parallel lists
        return [nn.ModuleList(parts) for parts in zip(*lists, strict=True)]
    return list(lists[0])


def _max_pieces(body: Any) -> int:
    """The longest sequence that a model takes."""
    positions = int(getattr(body.config, "max_position_embeddings", 512))
    # Models of the RoBERTa family count positions from behind the index of padding.
    offsets = [
        module.padding_idx + 1
        for name, module in body.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    return positions - max(offsets, default=0)


def _languages(config: TransformerEncoderConfig, body_config: Any) -> tuple[int, int] | None:
    """Language indices of target and source, for models with language embeddings."""
    if body_config.model_type != "xlm" or not getattr(body_config, "use_lang_emb", False):
        return None
    known = dict(getattr(body_config, "lang2id", None) or {})
    names = {name: getattr(config, name, None) for name in ("target_language", "source_language")}
    for name, language in names.items():
        if language not in known:
            raise ConfigError(
                f"system.model.encoder.{name}: found '{language}'; this model knows {', '.join(sorted(known))}. "
                "Languages can be given with class_name: XLM."
            )
    return known[names["target_language"]], known[names["source_language"]]
