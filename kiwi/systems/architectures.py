"""The systems that there are, and what each is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kiwi.systems.decoders.base import Decoder
from kiwi.systems.decoders.nuqe import NuQEDecoder
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.encoders.quetch import QUETCHEncoder
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


@dataclass(frozen=True)
class Architecture:
    """What a system is made of."""

    config: type[ModelConfig]
    encoder: type[Encoder]
    decoder: type[Decoder]


ARCHITECTURES: dict[str, Architecture] = {
    "NuQE": Architecture(NuQEConfig, QUETCHEncoder, NuQEDecoder),
}
"""``system.class_name`` to architecture."""
