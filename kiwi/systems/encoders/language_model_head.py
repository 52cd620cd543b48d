"""The language-modelling head of a pretrained encoder: features of pieces, and masked language modelling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kiwi.exceptions import ConfigError
from kiwi.modules.language_modelling import mismatch_features
from kiwi.systems.encoders.piece_tensors import Pieces
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig
from kiwi.systems.pretrained.model import HEAD_READERS

MASKED_SHARE = 0.15
"""Of the pieces, those that are to be predicted (Devlin et al. 2019, N19-1423)."""

VALIDATION_SEED = 1


class LanguageModelHead(nn.Module):
    """The parts of a masked language model above its encoder.

    Args:
        model: of Transformers, with its head.
        mask_id: of the piece that masks others; None for a tokenizer without.
    """

    def __init__(self, model: Any, mask_id: int | None) -> None:
        super().__init__()
        body = model.base_model
        self.parts = nn.ModuleDict({name: part for name, part in model.named_children() if part is not body})
        # The whole model is no part of this one: its encoder has a place of its own.
        self._model = (model,)
        self._mask_id = mask_id
        self.output: Any = model.get_output_embeddings()
        if not isinstance(self.output, nn.Linear) or self.output.out_features != body.config.vocab_size:
            raise ConfigError(
                f"system.model.encoder.model_name: the language-modelling head of this {body.config.model_type} has a "
                f"form that kiwi cannot read, which is needed for {HEAD_READERS}. Switch these off."
            )

    @property
    def size(self) -> int:
        """Of its states."""
        return int(self.output.in_features)

    @contextmanager
    def states_as_logits(self) -> Iterator[Any]:
        """The whole model, which returns the states before the output layer in the place of its logits: a vocabulary
        of logits for every piece would not fit.
        """
        self.output.forward = _pass_on
        try:
            yield self._model[0]
        finally:
            del self.output.forward  # the class's own is found again

    def features(self, states: Tensor, pieces: Pieces, config: TransformerEncoderConfig) -> Tensor:
        """What the head says of the pieces that are there.

        Args:
            states: of the head, (windows, pieces, size).
            pieces: of the batch.
            config: which features.

        Returns:
            (windows, pieces, :meth:`n_features`); zeros for padding.
        """
        if torch.compiler.is_exporting():  # how many pieces there are is not known
            flat = self._features(states.flatten(0, 1), pieces.ids.flatten(), config)
            return flat.view(*pieces.mask.shape, -1) * pieces.mask.unsqueeze(-1)
        flat = self._features(states[pieces.mask], pieces.ids[pieces.mask], config)
        return flat.new_zeros(*pieces.mask.shape, flat.shape[-1]).masked_scatter(pieces.mask.unsqueeze(-1), flat)

    def _features(self, there: Tensor, ids: Tensor, config: TransformerEncoderConfig) -> Tensor:
        """(pieces, size) and (pieces,) to (pieces, :meth:`n_features`)."""
        found = []
        if config.use_mismatch_features:
            found.append(mismatch_features(there, ids, self.output.weight, self.output.bias))
        if config.use_predictor_features:
            found.append(there * self.output.weight[ids].to(there.dtype))
        return torch.cat(found, dim=-1)

    def n_features(self, config: TransformerEncoderConfig) -> int:
        """Of a piece."""
        return 4 * config.use_mismatch_features + self.size * config.use_predictor_features

    def mask(self, pieces: Pieces) -> tuple[Tensor, Tensor]:
        """Hide some pieces of words: 8 of 10 behind the mask, one behind a random piece, one behind itself.

        In evaluation the same ones each time, so that validations can be compared.

        Returns:
            The pieces with some hidden, and where these are, (windows, pieces) each.

        Raises:
            ConfigError: when the tokenizer has no piece to mask with.
        """
        if self._mask_id is None:
            raise ConfigError("system.model.tlm_outputs.fine_tune: the tokenizer of this encoder has no mask.")
        generator = None if self.training else torch.Generator().manual_seed(VALIDATION_SEED)
        shape = pieces.ids.shape
        draws, hows = torch.rand(2, *shape, generator=generator).to(pieces.ids.device)
        others = torch.randint(self.output.out_features, shape, generator=generator).to(pieces.ids.device)
        draws = draws.masked_fill(~(pieces.of_words(0) | pieces.of_words(1)), 1.0)
        hidden = draws <= draws.min().clamp(min=MASKED_SHARE)  # at least one
        ids = pieces.ids.masked_fill(hidden & (hows < 0.8), self._mask_id)
        return torch.where(hidden & (hows >= 0.9), others, ids), hidden


def _pass_on(states: Tensor) -> Tensor:
    return states
