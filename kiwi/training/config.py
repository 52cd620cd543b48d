"""Options of the run and the trainer; free of Lightning, so that a configuration is checked without loading it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationInfo, field_validator

from kiwi.metrics.functions import find_metric, higher_is_better
from kiwi.utils.io import BaseConfig

logger = logging.getLogger(__name__)


class CheckpointsConfig(BaseConfig):
    """When to validate, what to keep, when to stop."""

    validation_steps: Annotated[float, Field(gt=0.0, le=1.0)] | PositiveInt = 1.0
    """How often to validate: a float is a share of an epoch (0.5: twice an epoch), an integer a number of training
    batches."""

    save_top_k: Annotated[int, Field(ge=-1)] = 1
    """Keep the ``k`` best models by the main metric; -1 keeps all, 0 saves none."""

    early_stop_patience: NonNegativeInt = 0
    """Stop after this many validations without improvement of the main metric; 0 never does."""


class GPUConfig(BaseConfig):
    """Devices and precision."""

    gpus: int | list[int] = 0
    """Number of GPUs (0: the CPU, -1: all GPUs), or a list of their numbers, such as ``[0, 2]``. Without any GPU in
    the machine, training falls back to the CPU with a warning."""

    precision: Literal[16, 32, "bf16"] = 32
    """Floating point numbers in training: of 32 bits, of 16 (float16, on GPUs only), or bfloat16 (on GPUs and CPUs;
    16 bits with the range of 32)."""

    amp_level: Literal["O0", "O1", "O2", "O3"] = "O0"
    """Which numbers are of 16 bits; the names are those of NVIDIA Apex, which is not used any more. ``O0``: none,
    full precision. ``O1`` and ``O2``: mixed precision, weights of 32 bits and most operations of 16. ``O3``: all,
    true half precision. ``precision: 16`` or ``bf16`` with ``O0`` becomes ``O1``; ``precision: 32`` with any other
    becomes ``O0``; each with a warning."""

    @field_validator("gpus")
    @classmethod
    def setup_gpu_ids(cls, v: int | list[int]) -> int | list[int]:
        """Fall back to the CPU when there is no GPU; refuse GPUs beyond those that there are."""
        import torch

        available = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if v in (0, []):
            if available:
                logger.warning("%d GPU(s) available, but trainer.gpus asks for none: training on the CPU.", available)
            return 0
        if available == 0:
            logger.warning("trainer.gpus asks for GPUs (%s), but none is available: training on the CPU.", v)
            return 0
        if isinstance(v, int):
            if v < -1 or v > available:
                raise ValueError(f"expected -1 (all) to {available}, the number of GPUs in this machine")
        elif len(set(v)) < len(v) or not set(v) <= set(range(available)):
            raise ValueError(f"expected different numbers from 0 to {available - 1}, the GPUs in this machine")
        return v

    @field_validator("precision")
    @classmethod
    def refuse_float16_on_cpu(cls, v: int | str, values: ValidationInfo) -> int | str:
        """No CPU trains in float16."""
        if v == 16 and values.data.get("gpus") == 0:
            raise ValueError("float16 is for GPUs, and this run is on the CPU; use bf16, its 16 bits, or 32")
        return v

    @field_validator("amp_level")
    @classmethod
    def setup_amp_level(cls, v: str, values: ValidationInfo) -> str:
        """Make the level agree with the precision."""
        precision = values.data.get("precision")
        if precision in (16, "bf16") and v == "O0":
            logger.warning("trainer.precision is %s but trainer.amp_level is O0: using O1, mixed precision.", precision)
            return "O1"
        if precision == 32 and v != "O0":
            logger.warning("trainer.amp_level is %s but trainer.precision is 32: using O0, full precision.", v)
            return "O0"
        return v


class TrainerConfig(GPUConfig):
    """How long to train, on what, and what counts as better."""

    num_nodes: PositiveInt = 1
    """Machines that train together; on each of them the same command is started, by torchrun, SLURM, or by hand with
    ``MASTER_ADDR``, ``MASTER_PORT`` and ``NODE_RANK``. ``gpus`` counts those of one machine."""

    strategy: Literal["ddp", "fsdp"] = "ddp"
    """How several processes share the work: ``ddp``, each has the whole model; ``fsdp``, each has a part of every
    layer's weights, for models that are too large for one GPU."""

    average_weights: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Decay of a moving average of the weights, such as 0.995, which is validated and saved in their place; unset,
    there is none."""

    @field_validator("average_weights")
    @classmethod
    def check_weights_are_whole(cls, v: float | None, values: ValidationInfo) -> float | None:
        """Averages are of whole weights."""
        if v is not None and values.data.get("strategy") == "fsdp":
            raise ValueError("strategy: fsdp parts the weights, of which no average is kept; remove one of them")
        return v

    resume: bool = False
    """Go on with a run that was stopped or killed, as if it had never been. ``run.run_id`` (or ``run.output_dir``) says
    which; its files are looked for under ``runs/``, then on the MLflow server, if there is one."""

    epochs: PositiveInt = 50
    """Passes over the training data."""

    gradient_accumulation_steps: PositiveInt = 1
    """Batches whose gradients are averaged for each optimizer step."""

    gradient_max_norm: NonNegativeFloat = 0.0
    """Clip gradients to this norm; 0.0 does not."""

    main_metric: str | list[str] | None = None
    """The metric that says which model is best, or several, which are added up; without the prefix ``val_``.
    Unset, the first metric of the configured outputs."""

    log_interval: PositiveInt = 100
    """Log every this many batches."""

    log_save_interval: PositiveInt = 100
    """Write ``metrics.csv`` to disk at the logged steps that are multiples of this, after each validation, and at the
    end."""

    checkpoint: CheckpointsConfig = CheckpointsConfig()
    """Validation, checkpoints, early stopping."""

    deterministic: bool = True
    """Use deterministic algorithms only: the same run gives the same weights, perhaps more slowly."""

    @field_validator("main_metric")
    @classmethod
    def check_directions(cls, v: str | list[str] | None) -> str | list[str] | None:
        """Metrics that are added up agree on what is better."""
        names = [v] if isinstance(v, str) else v
        if names is None:
            return v
        if not names:
            raise ValueError("expected at least one metric")
        known = [name for name in names if find_metric(name)]  # others are refused where the outputs are known
        up = [name for name in known if higher_is_better(name)]
        down = [name for name in known if not higher_is_better(name)]
        if up and down:
            raise ValueError(
                f"higher is better for {', '.join(up)}, lower for {', '.join(down)}: they cannot be added up"
            )
        return v


class RunConfig(BaseConfig):
    """Where a run lives and how it is tracked."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of weights, order of the data, and splits."""

    experiment_name: str = "default"
    """The experiment of MLflow that the run belongs to; names the run in messages."""

    output_dir: Path | None = None
    """Directory of the run's files; unset, ``runs/<experiment id>/<run_id>/``, where the experiment id is MLflow's,
    and ``0`` without MLflow."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None
    """32 hexadecimal characters that identify the run; unset, they are drawn at random. A run that MLflow has under
    this id is continued."""

    use_mlflow: bool = False
    """Track the run with MLflow too (extra ``mlflow``). Without it, the output directory alone has the whole story."""

    mlflow_tracking_uri: str = "mlruns/"
    """Server of MLflow, or a directory, where runs are in a SQLite database; read with ``use_mlflow``."""

    mlflow_always_log_artifacts: bool = False
    """Send files to MLflow even when it is a directory on this machine; read with ``use_mlflow``."""

    use_tensorboard: bool = False
    """Write event files for TensorBoard to ``tensorboard/`` of the output directory (extra ``tensorboard``)."""
