"""The table of architectures, and the options of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from pydantic import model_validator
from typing_extensions import override

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
    """The options of ``system.model``; each architecture has its own."""

    encoder: BaseConfig
    """The encoder, which computes features of words."""

    @property
    def metric_names(self) -> list[str]:
        """The metrics of all outputs, the main one first, without the prefix ``val_``."""
        raise TypeError(f"{type(self).__name__} belongs to no architecture")


class ModelConfig(AnyModelConfig):
    """The options of ``system.model`` of a quality estimation system."""

    decoder: BaseConfig
    """The decoder, which turns the features of the encoder into those of the outputs."""

    outputs: QEOutputs.Config
    """The predictions, and their weights in the loss."""

    tlm_outputs: TLMOutputsConfig = TLMOutputsConfig()
    """The language model that is trained along with quality estimation."""

    reads_pieces: ClassVar[bool] = False
    """Whether the encoder reads pieces of words, which error spans consist of."""

    @model_validator(mode="after")
    def check_spans(self) -> Self:
        """Reject error spans where the encoder reads words."""
        if self.outputs.span_level is not None and not self.reads_pieces:
            reason = "needs a pretrained encoder: use it with the class Transformer, or remove it"
            raise mistakes(type(self).__name__, {"outputs.span_level": reason})
        return self

    @property
    @override
    def metric_names(self) -> list[str]:
        language_model = LanguageModelMetrics(POST_EDIT_PREFIX).names if self.tlm_outputs.fine_tune else ()
        return [*self.outputs.metric_names, *language_model]


class NoLanguageModelConfig(TLMOutputsConfig):
    """The options of ``system.model.tlm_outputs`` for systems without a language model."""

    fine_tune: Literal[False] = False
    """Accepted only as false, since this system has no language model to train."""


class NuQEConfig(ModelConfig):
    """The options of ``system.model`` for NuQE."""

    encoder: QUETCHEncoder.Config
    """The QUETCH encoder, which concatenates windows of aligned words."""

    decoder: NuQEDecoder.Config = NuQEDecoder.Config()
    """The NuQE decoder, alternating feed-forward and recurrent layers."""

    tlm_outputs: NoLanguageModelConfig = NoLanguageModelConfig()
    """Accepted only with ``fine_tune: false``."""


class TransformerConfig(ModelConfig):
    """The options of ``system.model`` for Transformer, which accepts any encoder that ``AutoModel`` supports."""

    reads_pieces = True

    encoder: TransformerEncoderConfig
    """The pretrained model, and how its layers are read and trained."""

    decoder: LinearDecoder.Config = LinearDecoder.Config()
    """The linear decoder, a small feed-forward network."""

    tlm_outputs: TLMOutputsConfig = TLMOutputsConfig()
    """Masked language modelling on source and post-edit, trained along with quality estimation."""

    @model_validator(mode="after")
    def check_something_to_fine_tune(self) -> TransformerConfig:
        """Reject the fine-tuning of a frozen language model."""
        if self.tlm_outputs.fine_tune and self.encoder.freeze:
            raise mistakes(
                "TransformerConfig",
                {"tlm_outputs.fine_tune": "encoder.freeze freezes the language model; remove one of the two"},
            )
        return self


class BertModelConfig(TransformerConfig):
    """The options of ``system.model`` for Bert."""

    encoder: BertConfig = BertConfig()
    """The pretrained model, and how its layers are read and trained."""


class XLMModelConfig(TransformerConfig):
    """The options of ``system.model`` for XLM."""

    encoder: XLMConfig = XLMConfig()
    """The pretrained model, and how its layers are read and trained."""


class XLMRobertaModelConfig(TransformerConfig):
    """The options of ``system.model`` for XLMRoberta."""

    encoder: XLMRobertaConfig = XLMRobertaConfig()
    """The pretrained model, and how its layers are read and trained."""


class PredictorEstimatorConfig(ModelConfig):
    """The options of ``system.model`` for PredictorEstimator."""

    encoder: PredictorEncoder.Config = PredictorEncoder.Config()
    """The predictor, a language model; ``system.load_encoder`` loads a pretrained one."""

    decoder: EstimatorDecoder.Config = EstimatorDecoder.Config()
    """The estimator, recurrent layers over the features of the predictor."""


class PredictorModelConfig(AnyModelConfig):
    """The options of ``system.model`` for Predictor."""

    encoder: PredictorEncoder.Config = PredictorEncoder.Config()
    """The predictor, a language model."""

    tlm_outputs: NoLanguageModelConfig = NoLanguageModelConfig()
    """Accepted only with ``fine_tune: false``, since pretraining trains nothing but the language model."""

    @property
    @override
    def metric_names(self) -> list[str]:
        return list(LanguageModelMetrics(TARGET_PREFIX).names)


@dataclass(frozen=True)
class LanguageModelArchitecture:
    """The classes of a language model."""

    config: type[AnyModelConfig]
    encoder: type[Encoder]


@dataclass(frozen=True)
class Architecture:
    """The classes of a quality estimation system."""

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
"""The architectures of ``kiwi train``, by ``system.class_name``."""

LANGUAGE_MODELS: dict[str, LanguageModelArchitecture] = {
    "Predictor": LanguageModelArchitecture(PredictorModelConfig, PredictorEncoder),
}
"""The architectures of ``kiwi pretrain``, by ``system.class_name``."""

ALL: dict[str, Architecture | LanguageModelArchitecture] = {**ARCHITECTURES, **LANGUAGE_MODELS}
"""All architectures that a checkpoint may have."""
