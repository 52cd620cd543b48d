"""The options of pretrained encoders, and the defaults of each architecture."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from kiwi.utils.io import BaseConfig, Size, mistakes
from kiwi.utils.written import PathText

logger = logging.getLogger(__name__)

Pooling = Literal["first_token", "mean", "ll_mean", "mixed", "compare"]


class LoraConfig(BaseConfig):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) in the linear layers of the model that are trained."""

    rank: Size = 8
    """The rank of each adapter."""

    alpha: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 16.0
    """The scale of the adapters, whose output is multiplied by ``alpha / rank``."""

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """The dropout probability of the input of an adapter, in [0, 1)."""

    modules: list[str] | None = Field(default=None, min_length=1)
    """The last part of the names of the linear layers that get an adapter, such as ``query``; by default all."""


class TransformerEncoderConfig(BaseConfig):
    """The options of ``system.model.encoder`` for systems with a pretrained encoder."""

    model_name: PathText
    """The name of the model on the hub, or a local folder, which is read without network access."""

    use_mismatch_features: bool = False
    """Whether to add mismatch features of the model's language-modelling head to each piece (Fan et al. 2019, arXiv
    1807.09433), which are the logit of the piece, the highest logit, their difference, and whether the most likely
    piece is another one. No piece is masked, so one pass is enough. Rejected for a model without such a head."""

    use_predictor_features: bool = False
    """Whether to add to each piece the elementwise product of the head's state and the output embedding of the piece
    (Kim et al. 2017, W17-4763), from the same head and the same pass."""

    interleave_input: bool = False
    """Accepted for compatibility with OpenKiwi. Target and source are always joined in the form in which the model was
    pretrained on pairs, without padding between them."""

    encode_source: bool | None = None
    """Accepted for compatibility with OpenKiwi and ignored. The outputs determine whether source words have
    features."""

    freeze: bool = False
    """Whether to freeze the pretrained model."""

    freeze_for_number_of_steps: NonNegativeInt = 0
    """The number of optimizer steps for which the pretrained model is frozen."""

    freeze_layers: NonNegativeInt = 0
    """The number of lowest layers to freeze, along with the embeddings and all other weights outside of the layers
    except for a language-modelling head that is read. The states below the highest frozen layer are not read."""

    keep_frozen_states: Literal["memory", "disk", "no"] = "memory"
    """Where to cache the outputs of the frozen layers (``freeze_layers``), so that they are computed only once per
    training. They take 4 bytes per piece and hidden unit, in memory or in a memory-mapped file in the directory of the
    run; ``no`` computes them in every epoch, as do models whose layers cannot be skipped, such as T5 and XLNet."""

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    """The dropout probability within the pretrained model, in [0, 1); if unset, those of its configuration, mostly 0.1.
    A small model that learns from much data fits it better with 0.0."""

    gradient_checkpointing: bool = False
    """Whether to recompute activations in the backward pass, which saves memory and takes more time."""

    lora: LoraConfig | None = None
    """Low-rank adapters to train instead of the weights of the model; a language-modelling head that is read is still
    trained. Adapters are merged into the weights of checkpoints. Requires the extra ``lora``."""

    source_max_length: PositiveInt | None = None
    """The maximum number of source pieces; longer sources are cut. By default nothing is cut."""

    target_max_length: PositiveInt | None = None
    """The maximum number of target pieces; longer targets are cut. By default nothing is cut."""

    use_mlp: bool = True
    """Whether to add a linear layer and tanh after the features."""

    hidden_size: Size = 100
    """The size of the linear layer of ``use_mlp``."""

    pooling: Pooling = "mixed"
    """The features of the sentence. Either those of the first piece (``first_token``), the mean over pieces (``mean``),
    the mean over the pieces of the last layer without the mixture (``ll_mean``), first piece and mean (``mixed``), or
    first piece, means of both sides, their distance and their product (``compare``)."""

    scalar_mix: bool = True
    """Whether to mix all layers that are read with learned weights (Peters et al. 2018, arXiv 1802.05365), instead of
    taking the last one."""

    scalar_mix_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """The probability, in [0, 1), with which a layer is left out of the mixture in training."""

    scalar_mix_layer_norm: bool = True
    """Whether to apply layer normalization to each layer before mixing."""

    @property
    def reads_head(self) -> bool:
        """Whether a feature needs the model's language-modelling head."""
        return self.use_mismatch_features or self.use_predictor_features

    @field_validator("encode_source")
    @classmethod
    def ignore_encode_source(cls, value: bool | None) -> None:
        """Leave out an option that only OpenKiwi has."""
        if value is not None:
            logger.info("system.model.encoder.encode_source is not used, since the outputs determine it.")

    @field_validator("keep_frozen_states", mode="before")
    @classmethod
    def take_no(cls, value: object) -> object:
        """Accept false, which is how YAML reads a bare ``no``."""
        return "no" if value is False else value

    @model_validator(mode="after")
    def check_freezing(self) -> TransformerEncoderConfig:
        """Reject ``freeze`` along with options that train a part of the model."""
        names = ("freeze_for_number_of_steps", "freeze_layers", "lora")
        if self.freeze and any(getattr(self, name) for name in names):
            reason = "freeze freezes the whole model; remove one of the two"
            raise mistakes("TransformerEncoderConfig", {name: reason for name in names if getattr(self, name)})
        return self


class BertConfig(TransformerEncoderConfig):
    """The options of ``system.model.encoder`` for Bert."""

    model_name: PathText = "bert-base-multilingual-cased"
    """The name of the model on the hub, or a local folder, which is read without network access."""


class XLMConfig(TransformerEncoderConfig):
    """The options of ``system.model.encoder`` for XLM."""

    model_name: PathText = "xlm-mlm-tlm-xnli15-1024"
    """The name of the model on the hub, or a local folder, which is read without network access."""

    source_language: str = "en"
    """The language of the source, by the name that the model uses."""

    target_language: str = "de"
    """The language of the target, by the name that the model uses."""

    scalar_mix: bool = False
    """Whether to mix all layers that are read with learned weights (Peters et al. 2018, arXiv 1802.05365), instead of
    taking the last one."""


class XLMRobertaConfig(TransformerEncoderConfig):
    """The options of ``system.model.encoder`` for XLMRoberta."""

    model_name: PathText = "xlm-roberta-base"
    """The name of the model on the hub, or a local folder, which is read without network access."""
