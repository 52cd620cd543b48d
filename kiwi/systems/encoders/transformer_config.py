"""Options of pretrained encoders, and the defaults of each name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from kiwi.utils.io import BaseConfig, mistakes

Pooling = Literal["first_token", "mean", "ll_mean", "mixed", "compare"]


class LoraConfig(BaseConfig):
    """Adapters of low rank (Hu et al. 2021, arXiv 2106.09685) in the linear layers of the model that are trained."""

    rank: PositiveInt = 8
    """Of each adapter."""

    alpha: PositiveFloat = 16.0
    """What an adapter adds is scaled by ``alpha / rank``."""

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Dropout of what an adapter reads."""

    modules: list[str] | None = Field(default=None, min_length=1)
    """Last parts of the names of the linear layers that get one, such as ``query``; unset, all."""


class TransformerEncoderConfig(BaseConfig):
    """Form of ``system.model.encoder`` for systems with a pretrained encoder."""

    model_name: str
    """Name on the model hub, or a local folder, which never asks the network."""

    use_mismatch_features: bool = False
    """Add to each piece what the model's own language-modelling head says of it: the logit of the piece, the highest
    logit, their difference, and whether they are of different pieces (Fan et al. 2019, arXiv 1807.09433). No piece is
    masked for it, so that one pass over the segment is enough. Refused for a model without such a head."""

    use_predictor_features: bool = False
    """Add to each piece the product of the head's state with the output embedding of the piece (Kim et al. 2017,
    W17-4763), read from the same head in the same pass."""

    interleave_input: bool = False
    """Kept for configurations of OpenKiwi: target and source are always joined as the model was pretrained for
    pairs, without padding inside."""

    freeze: bool = False
    """Train nothing of the pretrained model."""

    freeze_for_number_of_steps: NonNegativeInt = 0
    """Train nothing of the pretrained model for this many optimizer steps."""

    freeze_layers: NonNegativeInt = 0
    """Train neither the embeddings nor this many layers above them, nor anything outside the layers but a
    language-modelling head that is read; only the layers from there on are read."""

    keep_frozen_states: Literal["memory", "disk", "no"] = "memory"
    """Where the outputs of ``freeze_layers`` are kept in training, so that they are computed once and not in every
    epoch: 4 bytes for each piece and hidden unit, in memory or in a memory-mapped file of the run's directory."""

    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, more time."""

    lora: LoraConfig | None = None
    """Train adapters in the place of the model's own weights, beside a language-modelling head that is read; they are
    merged into the weights of what is saved. Extra ``lora``."""

    source_max_length: PositiveInt | None = None
    """Pieces of the source that are read, the rest being cut; unset, all."""

    target_max_length: PositiveInt | None = None
    """Pieces of the target that are read, the rest being cut; unset, all."""

    use_mlp: bool = True
    """A linear layer and tanh after the features."""

    hidden_size: PositiveInt = 100
    """Its size."""

    pooling: Pooling = "mixed"
    """Features of the sentence: of the first piece, the mean over pieces, the mean over the pieces of the last
    layer without the mixture (``ll_mean``), both the first and the mean (``mixed``), or first, means of both sides,
    their distance and product (``compare``)."""

    scalar_mix: bool = True
    """Mix all layers that are read, with learned weights; else the last one is taken."""

    scalar_mix_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Probability with which a layer is left out of the mixture in training."""

    scalar_mix_layer_norm: bool = True
    """Normalize each layer before mixing."""

    @property
    def reads_head(self) -> bool:
        """Whether a feature needs the model's language-modelling head."""
        return self.use_mismatch_features or self.use_predictor_features

    @field_validator("keep_frozen_states", mode="before")
    @classmethod
    def take_no(cls, value: object) -> object:
        """YAML reads a bare ``no`` as false."""
        return "no" if value is False else value

    @model_validator(mode="after")
    def check_freezing(self) -> TransformerEncoderConfig:
        """One way to freeze at a time."""
        names = ("freeze_for_number_of_steps", "freeze_layers", "lora")
        if self.freeze and any(getattr(self, name) for name in names):
            reason = "freeze trains nothing at all; remove it, or the other"
            raise mistakes("TransformerEncoderConfig", {name: reason for name in names if getattr(self, name)})
        return self


class BertConfig(TransformerEncoderConfig):
    """Form of ``system.model.encoder`` for Bert."""

    model_name: str = "bert-base-multilingual-cased"
    """Name on the model hub, or a local folder, which never asks the network."""


class XLMConfig(TransformerEncoderConfig):
    """Form of ``system.model.encoder`` for XLM."""

    model_name: str = "xlm-mlm-tlm-xnli15-1024"
    """Name on the model hub, or a local folder, which never asks the network."""

    source_language: str = "en"
    """Language of the source, as the model names it."""

    target_language: str = "de"
    """Language of the target, as the model names it."""

    scalar_mix: bool = False
    """Mix all layers that are read, with learned weights; else the last one is taken."""


class XLMRobertaConfig(TransformerEncoderConfig):
    """Form of ``system.model.encoder`` for XLMRoberta."""

    model_name: str = "xlm-roberta-base"
    """Name on the model hub, or a local folder, which never asks the network."""
