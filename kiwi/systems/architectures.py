"""The systems that there are, and what each is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kiwi.systems.decoders.base import Decoder
from kiwi.systems.decoders.linear import LinearDecoder
from kiwi.systems.decoders.nuqe import NuQEDecoder
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.encoders.quetch import QUETCHEncoder
from kiwi.systems.encoders.transformer import TransformerEncoder
from kiwi.systems.encoders.transformer_config import (
    BertConfig,
    TransformerEncoderConfig,
    XLMConfig,
    XLMRobertaConfig,
)
from kiwi.systems.outputs.quality_estimation import QEOutputs
from kiwi.utils.io import BaseConfig


class ModelConfig(BaseConfig):
    """Form of ``system.model``; each system has its own."""

    encoder: BaseConfig
    """Words to features."""

    decoder: BaseConfig
    """Features to features."""

    outputs: QEOutputs.Config
    """What is predicted."""


class NoLanguageModelConfig(BaseConfig):
    """Form of ``system.model.tlm_outputs`` for systems without a language model."""

    fine_tune: Literal[False] = False
    """This system has no language model to keep training."""


class NuQEConfig(ModelConfig):
    """Form of ``system.model`` for NuQE."""

    encoder: QUETCHEncoder.Config
    """Windows of aligned words."""

    decoder: NuQEDecoder.Config = NuQEDecoder.Config()
    """Feed-forward and recurrent layers."""

    tlm_outputs: NoLanguageModelConfig = NoLanguageModelConfig()
    """Accepted as far as it asks for nothing."""


class TransformerConfig(ModelConfig):
    """Form of ``system.model`` for Transformer: any encoder that ``AutoModel`` knows."""

    encoder: TransformerEncoderConfig
    """The pretrained model, and what is made of its layers."""

    decoder: LinearDecoder.Config = LinearDecoder.Config()
    """Feed-forward layers."""

    tlm_outputs: NoLanguageModelConfig = NoLanguageModelConfig()
    """Accepted as far as it asks for nothing: training the language model beside is not available yet."""


class BertModelConfig(TransformerConfig):
    """Form of ``system.model`` for Bert."""

    encoder: BertConfig = BertConfig()
    """The pretrained model, and what is made of its layers."""


class XLMModelConfig(TransformerConfig):
    """Form of ``system.model`` for XLM."""

    encoder: XLMConfig = XLMConfig()
    """The pretrained model, and what is made of its layers."""


class XLMRobertaModelConfig(TransformerConfig):
    """Form of ``system.model`` for XLMRoberta."""

    encoder: XLMRobertaConfig = XLMRobertaConfig()
    """The pretrained model, and what is made of its layers."""


@dataclass(frozen=True)
class Architecture:
    """What a system is made of."""

    config: type[ModelConfig]
    encoder: type[Encoder]
    decoder: type[Decoder]


ARCHITECTURES: dict[str, Architecture] = {
    "NuQE": Architecture(NuQEConfig, QUETCHEncoder, NuQEDecoder),
    "Transformer": Architecture(TransformerConfig, TransformerEncoder, LinearDecoder),
    "Bert": Architecture(BertModelConfig, TransformerEncoder, LinearDecoder),
    "XLM": Architecture(XLMModelConfig, TransformerEncoder, LinearDecoder),
    "XLMRoberta": Architecture(XLMRobertaModelConfig, TransformerEncoder, LinearDecoder),
}
"""``system.class_name`` to architecture."""
