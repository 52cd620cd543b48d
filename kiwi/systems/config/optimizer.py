"""The options of ``system.optimizer`` and ``system.batch_size``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from kiwi.utils.io import BaseConfig, mistakes

OptimizerName = Literal[
    "sgd", "averaged_sgd", "adam", "noam", "sparse_adam", "adamw", "adagrad", "adadelta", "adamax", "rmsprop"
]

SPARSE_OPTIMIZERS = ("sgd", "adagrad", "sparse_adam")


class OptimizerConfig(BaseConfig):
    """How weights are updated.

    The learning rate is constant unless one of three schedules is configured: ``warmup_steps`` or
    ``training_steps`` (linear rise, then linear fall to 0), ``learning_rate_decay`` (plateau), or ``noam``.
    """

    class_name: OptimizerName
    """Algorithm; ``noam`` is Adam with the schedule of Vaswani et al. 2017 (arXiv 1706.03762): linear rise over
    ``warmup_steps``, then fall with the inverse square root of the step, scaled so that ``learning_rate`` is the
    highest rate. ``sparse_adam`` is lazy Adam for sparse embeddings and Adam for everything else."""

    learning_rate: PositiveFloat
    """Of all weights, or of those outside the encoder when ``encoder_learning_rate`` is given."""

    encoder_learning_rate: PositiveFloat | None = None
    """Of the encoder's weights."""

    layerwise_lr_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Multiply the rate of each layer of a pretrained encoder by this, once for every layer above it; the embeddings
    count as the lowest layer."""

    warmup_steps: Annotated[float, Field(ge=0.0, le=1.0)] | NonNegativeInt | None = None
    """Steps of the linear rise; a float in [0, 1] is a share of the training steps."""

    training_steps: PositiveInt | None = None
    """Steps after which the linear fall reaches 0; unset, the true number of optimizer steps of the run."""

    learning_rate_decay: NonNegativeFloat = 1.0
    """Multiply the learning rate by this when the main metric has stopped improving; used if between 0 and 1."""

    learning_rate_decay_start: NonNegativeInt = 2
    """Epochs without improvement before ``learning_rate_decay`` applies."""

    load: Path | None = None
    """``optimizer.safetensors`` of a former run, whose optimizer state (moments, step counts) to start from."""

    @property
    def has_plateau(self) -> bool:
        """Whether ``learning_rate_decay`` is used."""
        return 0.0 < self.learning_rate_decay < 1.0

    @model_validator(mode="after")
    def check_one_schedule(self) -> OptimizerConfig:
        """Schedules exclude each other."""
        wrong: dict[str, str] = {}
        linear = self.warmup_steps is not None or self.training_steps is not None
        if self.has_plateau and (linear or self.class_name == "noam"):
            wrong["learning_rate_decay"] = (
                "learning_rate_decay (plateau) cannot be combined with warmup_steps, training_steps or noam; "
                "set learning_rate_decay: 1.0, or remove the others"
            )
        if self.class_name == "noam" and not self.warmup_steps:
            wrong["warmup_steps"] = "noam needs warmup_steps"
        if self.class_name == "noam" and self.training_steps is not None:
            wrong["training_steps"] = "noam's schedule has no end; remove training_steps"
        if wrong:
            raise mistakes("OptimizerConfig", wrong)
        return self


class BatchSizes(BaseConfig):
    """Segments in a batch, by use."""

    train: PositiveInt = 1
    """In training."""

    valid: PositiveInt = 1
    """In validation."""

    test: PositiveInt = 1
    """In prediction."""
