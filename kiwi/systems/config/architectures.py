"""The systems that there are, and what each is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import model_validator

from kiwi.metrics.accumulators import LanguageModelMetrics
from kiwi.systems.decoders.base import Decoder
from kiwi.systems.decoders.estimator import EstimatorDecoder
from kiwi.systems.decoders.linear import LinearDecoder
from kiwi.systems.decoders.nuqe import NuQEDecoder
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.encoders.predictor import PredictorEncoder
from kiwi.systems.encoders.quetch import QUETCHEncoder
from kiwi.systems.encoders.transformer import TransformerEncoder
from kiwi.systems.encoders.transformer_config import (
    BertConfig,
    TransformerEncoderConfig,
    XLMConfig,
    XLMRobertaConfig,
)
from kiwi.systems.outputs.quality_estimation import QEOutputs
from kiwi.systems.outputs.translation_language_model import POST_EDIT_PREFIX, TARGET_PREFIX, TLMOutputsConfig
from kiwi.utils.io import BaseConfig, mistakes


class AnyModelConfig(BaseConfig):
    """Form of ``system.model``; each system has its own."""

    encoder: BaseConfig
    """Words to features."""

    @property
    def metric_names(self) -> list[str]:
        """Metrics of all outputs, the main one first, without the prefix ``val_``."""
        raise TypeError(f"{type(self).__name__} is the form of no system")


class ModelConfig(AnyModelConfig):
    """Form of ``system.model`` of a system that estimates quality."""

    decoder: BaseConfig
    """Features to features."""

    outputs: QEOutputs.Config
    """What is predicted."""

    tlm_outputs: TLMOutputsConfig = TLMOutputsConfig()
    """A language model that is trained beside."""

    @property
    def metric_names(self) -> list[str]:
        """As :attr:`AnyModelConfig.metric_names`."""
        of_language_model = LanguageModelMetrics(POST_EDIT_PREFIX).names if self.tlm_outputs.fine_tune else ()
        return [*self.outputs.metric_names, *of_language_model]


class NoLanguageModelConfig(TLMOutputsConfig):
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

    tlm_outputs: TLMOutputsConfig = TLMOutputsConfig()
    """Masked language modelling on source and post-edit, beside."""

    @model_validator(mode="after")
    def check_something_to_fine_tune(self) -> TransformerConfig:
        """A frozen language model does not learn."""
        if self.tlm_outputs.fine_tune and self.encoder.freeze:
            raise mistakes(
                "TransformerConfig",
                {"tlm_outputs.fine_tune": "encoder.freeze trains nothing of it; remove one of them"},
            )
        return self


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


class PredictorEstimatorConfig(ModelConfig):
    """Form of ``system.model`` for PredictorEstimator."""

    encoder: PredictorEncoder.Config = PredictorEncoder.Config()
    """The language model whose predictions are read; ``system.load_encoder`` brings a pretrained one."""

    decoder: EstimatorDecoder.Config = EstimatorDecoder.Config()
    """Recurrent layers."""


class PredictorModelConfig(AnyModelConfig):
    """Form of ``system.model`` for Predictor."""

    encoder: PredictorEncoder.Config = PredictorEncoder.Config()
    """The language model."""

    tlm_outputs: NoLanguageModelConfig = NoLanguageModelConfig()
    """Accepted as far as it asks for nothing: pretraining trains the language model and nothing else."""

    @property
    def metric_names(self) -> list[str]:
        """As :attr:`AnyModelConfig.metric_names`."""
        return list(LanguageModelMetrics(TARGET_PREFIX).names)


@dataclass(frozen=True)
class LanguageModelArchitecture:
    """What a language model is made of."""

    config: type[AnyModelConfig]
    encoder: type[Encoder]


@dataclass(frozen=True)
class Architecture:
    """What a system that estimates quality is made of."""

    config: type[ModelConfig]
    encoder: type[Encoder]
    decoder: type[Decoder]


ARCHITECTURES: dict[str, Architecture] = {
    "NuQE": Architecture(NuQEConfig, QUETCHEncoder, NuQEDecoder),
    "PredictorEstimator": Architecture(PredictorEstimatorConfig, PredictorEncoder, EstimatorDecoder),
    "Transformer": Architecture(TransformerConfig, TransformerEncoder, LinearDecoder),
    "Bert": Architecture(BertModelConfig, TransformerEncoder, LinearDecoder),
    "XLM": Architecture(XLMModelConfig, TransformerEncoder, LinearDecoder),
    "XLMRoberta": Architecture(XLMRobertaModelConfig, TransformerEncoder, LinearDecoder),
}
"""``system.class_name`` of ``kiwi train`` to architecture."""

LANGUAGE_MODELS: dict[str, LanguageModelArchitecture] = {
    "Predictor": LanguageModelArchitecture(PredictorModelConfig, PredictorEncoder),
}
"""``system.class_name`` of ``kiwi pretrain`` to architecture."""

ALL: dict[str, Architecture | LanguageModelArchitecture] = {**ARCHITECTURES, **LANGUAGE_MODELS}
"""What a checkpoint may hold."""
