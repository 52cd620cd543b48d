"""The language-modelling head of a pretrained encoder, for features of pieces and masked language modelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kiwi.exceptions import ConfigError
from kiwi.modules.language_modelling import mismatch_features
from kiwi.systems.encoders.piece_tensors import Pieces
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig
from kiwi.systems.pretrained.weights import HEAD_READERS

MASKED_SHARE = 0.15
"""The fraction of pieces to predict (Devlin et al. 2019, N19-1423)."""

VALIDATION_SEED = 1


class LanguageModelHead(nn.Module):
    """The modules of a masked language model above its encoder.

    Args:
        model: the model of Transformers, with its head.
        mask_id: the index of the mask token; None for a tokenizer without one.
    """

    def __init__(self, model: Any, mask_id: int | None) -> None:
        super().__init__()
        body = model.base_model
        self.parts = nn.ModuleDict({name: part for name, part in model.named_children() if part is not body})
        # A tuple keeps the model from being registered as a submodule, since its encoder is registered elsewhere.
        self._model = (model,)
        self._mask_id = mask_id
        self.output: Any = model.get_output_embeddings()
        self._model_type = body.config.model_type
        if not isinstance(self.output, nn.Linear) or self.output.out_features != body.config.vocab_size:
            raise self._unsupported()

    def _unsupported(self) -> ConfigError:
        return ConfigError(
            f"system.model.encoder.model_name: the language-modelling head of this {self._model_type} is of an "
            f"unsupported form, but it is required by {HEAD_READERS}. Switch these off."
        )

    @torch.no_grad()
    def check(self, inputs: Mapping[str, Any]) -> None:
        """Check that the logits of the model are the product of the states of the head and the output embeddings.

        Args:
            inputs: the arguments of the model.

        Raises:
            ConfigError: when they are not.
        """
        expected = self._model[0](**inputs).logits
        try:
            with self.states_as_logits() as model:
                states = model(**inputs).logits
            found = self.output(states)
        except RuntimeError as error:  # shapes that do not fit
            raise self._unsupported() from error
        if found.shape != expected.shape or not torch.allclose(found, expected, rtol=1e-3, atol=1e-3):
            raise self._unsupported()

    @property
    def size(self) -> int:
        """The size of the states of the head."""
        return int(self.output.in_features)

    @contextmanager
    def states_as_logits(self) -> Iterator[Any]:
        """Let the model return the states before the output layer instead of logits, which would take too much memory.

        Yields:
            The model with its head.
        """
        self.output.forward = _identity
        try:
            yield self._model[0]
        finally:
            del self.output.forward  # restores the method of the class

    def features(self, states: Tensor, pieces: Pieces, config: TransformerEncoderConfig) -> Tensor:
        """Compute the features that the head gives for each piece.

        Args:
            states: the states of the head, (windows, pieces, size).
            pieces: the pieces of the batch.
            config: the options that select features.

        Returns:
            (windows, pieces, :meth:`n_features`); zeros for padding.
        """
        if torch.compiler.is_exporting():  # the number of pieces depends on the data
            flat = self._features(states.flatten(0, 1), pieces.ids.flatten(), config)
            return flat.view(*pieces.mask.shape, -1) * pieces.mask.unsqueeze(-1)
        flat = self._features(states[pieces.mask], pieces.ids[pieces.mask], config)
        return flat.new_zeros(*pieces.mask.shape, flat.shape[-1]).masked_scatter(pieces.mask.unsqueeze(-1), flat)

    def _features(self, states: Tensor, ids: Tensor, config: TransformerEncoderConfig) -> Tensor:
        """Map (pieces, size) and (pieces,) to (pieces, :meth:`n_features`)."""
        features = []
        if config.use_mismatch_features:
            features.append(mismatch_features(states, ids, self.output.weight, self.output.bias))
        if config.use_predictor_features:
            features.append(states * self.output.weight[ids].to(states.dtype))
        return torch.cat(features, dim=-1)

    def n_features(self, config: TransformerEncoderConfig) -> int:
        """Return the number of features of a piece."""
        return 4 * config.use_mismatch_features + self.size * config.use_predictor_features

    def mask(self, pieces: Pieces) -> tuple[Tensor, Tensor]:
        """Select pieces to predict, and replace 80 % of them by the mask token and 10 % by random pieces.

        In evaluation mode the selection is the same each time, so that validations can be compared.

        Returns:
            The masked pieces, and whether each is to be predicted, (windows, pieces) each.

        Raises:
            ConfigError: when the tokenizer has no mask token.
        """
        if self._mask_id is None:
            raise ConfigError("system.model.tlm_outputs.fine_tune: the tokenizer of this encoder has no mask token.")
        generator = None if self.training else torch.Generator().manual_seed(VALIDATION_SEED)
        shape = pieces.ids.shape
        draws, actions = torch.rand(2, *shape, generator=generator).to(pieces.ids.device)
        others = torch.randint(self.output.out_features, shape, generator=generator).to(pieces.ids.device)
        draws = draws.masked_fill(~(pieces.of_words(0) | pieces.of_words(1)), 1.0)
        hidden = draws <= draws.min().clamp(min=MASKED_SHARE)  # at least one
        ids = pieces.ids.masked_fill(hidden & (actions < 0.8), self._mask_id)
        return torch.where(hidden & (actions >= 0.9), others, ids), hidden


def _identity(states: Tensor) -> Tensor:
    return states
