"""The options of ``system.optimizer`` and ``system.batch_size``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from kiwi.utils.io import BaseConfig, mistakes

logger = logging.getLogger(__name__)

OptimizerName = Literal[
    "sgd", "averaged_sgd", "adam", "noam", "sparse_adam", "adamw", "adagrad", "adadelta", "adamax", "rmsprop"
]

SPARSE_OPTIMIZERS = ("sgd", "adagrad", "sparse_adam")


class OptimizerConfig(BaseConfig):
    """The options of ``system.optimizer``.

    The learning rate is constant unless one of three schedules is configured, which are ``warmup_steps`` or
    ``training_steps`` (linear warmup, then linear decay to 0), ``learning_rate_decay`` (plateau), and ``noam``.
    """

    class_name: OptimizerName
    """The optimization algorithm. ``noam`` is Adam with the schedule of Vaswani et al. 2017 (arXiv 1706.03762), that is
    linear warmup over ``warmup_steps``, then decay with the inverse square root of the step, scaled so that
    ``learning_rate`` is the highest rate. ``sparse_adam`` is lazy Adam for sparse embeddings and Adam for all other
    weights."""

    learning_rate: PositiveFloat
    """The learning rate of all weights, or of those outside the encoder if ``encoder_learning_rate`` is given."""

    encoder_learning_rate: PositiveFloat | None = None
    """The learning rate of the encoder's weights; by default ``learning_rate``."""

    layerwise_lr_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """The factor, in (0, 1], by which the learning rate decreases from each layer of a pretrained encoder to the layer
    below it (Howard and Ruder 2018, arXiv 1801.06146). The embeddings count as the lowest layer."""

    warmup_steps: Annotated[float, Field(ge=0.0, le=1.0)] | NonNegativeInt | None = None
    """The length of the linear warmup, as a number of steps or, if a float in [0, 1], as a fraction of the training
    steps."""

    training_steps: PositiveInt | None = None
    """The number of steps after which linear decay reaches 0; by default the number of optimizer steps of the run.
    ``noam`` has no end, and uses it only for ``warmup_steps`` below 1."""

    learning_rate_decay: NonNegativeFloat = 1.0
    """The factor by which the learning rate is multiplied when the main metric stops improving. Only values strictly
    between 0 and 1 have an effect."""

    learning_rate_decay_start: NonNegativeInt = 2
    """The number of epochs without improvement before ``learning_rate_decay`` applies."""

    load: Path | None = None
    """An earlier run, or its ``optimizer.safetensors``, to start from its optimizer state (moments, step counts)."""

    @property
    def has_plateau(self) -> bool:
        """Whether ``learning_rate_decay`` has an effect."""
        return 0.0 < self.learning_rate_decay < 1.0

    @model_validator(mode="after")
    def check_one_schedule(self) -> OptimizerConfig:
        """Reject more than one schedule."""
        wrong: dict[str, str] = {}
        linear = self.warmup_steps is not None or self.training_steps is not None
        if self.has_plateau and (linear or self.class_name == "noam"):
            wrong["learning_rate_decay"] = (
                "learning_rate_decay (plateau) cannot be combined with warmup_steps, training_steps or noam; "
                "set learning_rate_decay: 1.0, or remove the others"
            )
        if self.class_name == "noam" and not self.warmup_steps:
            wrong["warmup_steps"] = "noam needs warmup_steps"
        if wrong:
            raise mistakes("OptimizerConfig", wrong)
        is_share = isinstance(self.warmup_steps, float)
        if self.class_name == "noam" and self.training_steps is not None and not is_share:
            logger.warning("optimizer.training_steps is ignored: the noam schedule has no end.")
        return self


class BatchSizes(BaseConfig):
    """The number of segments in a batch, by use."""

    train: PositiveInt = 1
    """The number of segments in a training batch."""

    valid: PositiveInt = 1
    """The number of segments in a validation batch."""

    test: PositiveInt = 1
    """The number of segments in a prediction batch."""
