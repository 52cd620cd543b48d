"""The options of the run and the trainer. Lightning is not imported here, so that checking them is fast."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from kiwi.metrics.functions import find_metric, higher_is_better
from kiwi.utils.io import BaseConfig
from kiwi.utils.written import PathText

logger = logging.getLogger(__name__)


class CheckpointsConfig(BaseConfig):
    """Options of validation, of the models to keep, and of early stopping."""

    validation_steps: Annotated[float, Field(gt=0.0, le=1.0)] | PositiveInt = 1.0
    """The interval between validations, as a share of an epoch (a float in (0, 1], such as 0.5 for twice an epoch) or
    as a number of training batches (an integer)."""

    save_top_k: Annotated[int, Field(ge=-1)] = 1
    """The number of best models by the main metric to keep; -1 keeps all, 0 saves none."""

    early_stop_patience: NonNegativeInt = 0
    """The number of validations without improvement of the main metric after which training stops; 0 disables early
    stopping."""


class GPUConfig(BaseConfig):
    """Options of devices and precision."""

    gpus: int | list[int] = 0
    """The number of GPUs (0 for the CPU, -1 for all GPUs), or a list of GPU ids, such as ``[0, 2]``. On a machine
    without a GPU, training falls back to the CPU, and a ``precision`` of 16 bits to ``auto``, with a warning."""

    precision: Literal[16, 32, "bf16", "auto"] = 32
    """The floating-point precision of training in bits, 32 or 16 (float16, on GPUs only), or ``bf16`` (bfloat16, on
    GPUs and CPUs, which has 16 bits and the range of 32). ``auto`` is ``bf16`` where the processor or the GPU
    multiplies it natively, otherwise 16 on a GPU that does, and otherwise 32; ``config.yaml`` of the run has the one
    that was chosen."""

    amp_level: Literal["O0", "O1", "O2", "O3"] = "O0"
    """The level of mixed precision, under the names of NVIDIA Apex. ``O0`` is full precision. ``O1`` and ``O2`` are
    mixed precision, with weights of 32 bits and most operations in 16 bits. ``O3`` is true half precision, with 16 bits
    throughout. A level that contradicts ``precision`` is changed, to ``O1`` for 16 and ``bf16`` and to ``O0`` for 32,
    with a warning unless ``precision`` is ``auto``."""

    @model_validator(mode="before")
    @classmethod
    def choose_automatic_precision(cls, data: Any) -> Any:
        """Replace ``precision: auto``, and any precision of a run that falls back to the CPU, by the one that suits."""
        if not isinstance(data, Mapping) or data.get("precision", 32) not in ("auto", "bf16", 16):
            return data
        import torch

        gpus = data.get("gpus", 0)
        asks_for_gpus = isinstance(gpus, int | list) and gpus not in (0, [])
        on_gpu = asks_for_gpus and torch.cuda.is_available()
        if data["precision"] != "auto" and (on_gpu or not asks_for_gpus):
            return data
        from kiwi.systems.precision import choose_precision

        first = gpus[0] if isinstance(gpus, list) and gpus else 0
        if on_gpu and first not in range(torch.cuda.device_count()):
            return data  # setup_gpu_ids rejects it
        chosen = choose_precision(f"cuda:{first}" if on_gpu else "cpu")
        level = data.get("amp_level", "O0")
        if chosen == "32" or level == "O0":
            level = "O0" if chosen == "32" else "O1"
        return {**data, "precision": chosen if chosen == "bf16" else int(chosen), "amp_level": level}

    @field_validator("gpus")
    @classmethod
    def setup_gpu_ids(cls, v: int | list[int]) -> int | list[int]:
        """Fall back to the CPU when there is no GPU, and reject GPUs that the machine does not have."""
        import torch

        available = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if v in (0, []):
            if available:
                logger.warning("%d GPU(s) available, but trainer.gpus asks for none: training on the CPU.", available)
            return 0
        if available == 0:
            logger.warning(
                "trainer.gpus asks for GPUs (%s), but none is available: training on the CPU, in 16 bits only where it "
                "computes them natively.",
                v,
            )
            return 0
        if isinstance(v, int):
            if v < -1 or v > available:
                raise ValueError(f"expected -1 (all) to {available}, the number of GPUs in this machine")
        elif len(set(v)) < len(v) or not set(v) <= set(range(available)):
            raise ValueError(f"expected distinct numbers from 0 to {available - 1}, the GPUs in this machine")
        return v

    @field_validator("precision")
    @classmethod
    def refuse_float16_on_cpu(cls, v: int | str, values: ValidationInfo) -> int | str:
        """Reject float16 on the CPU."""
        if v == 16 and values.data.get("gpus") == 0:
            raise ValueError("float16 is for GPUs, and this run is on the CPU; use auto or 32")
        return v

    @field_validator("amp_level")
    @classmethod
    def setup_amp_level(cls, v: str, values: ValidationInfo) -> str:
        """Change a level that contradicts the precision."""
        precision = values.data.get("precision")
        if precision in (16, "bf16") and v == "O0":
            logger.warning("trainer.precision is %s but trainer.amp_level is O0: using O1, mixed precision.", precision)
            return "O1"
        if precision == 32 and v != "O0":
            logger.warning("trainer.amp_level is %s but trainer.precision is 32: using O0, full precision.", v)
            return "O0"
        return v


class TrainerConfig(GPUConfig):
    """Options of the duration of training, its devices, and the main metric."""

    num_nodes: Annotated[int, Field(gt=0, le=100_000)] = 1
    """The number of machines that train together. Start the same command on each of them, with torchrun, SLURM, or by
    hand with ``MASTER_ADDR``, ``MASTER_PORT`` and ``NODE_RANK``. ``gpus`` is the number of GPUs per machine."""

    strategy: Literal["ddp", "fsdp"] = "ddp"
    """The way in which several processes share the work. With ``ddp`` (distributed data parallel), each has the whole
    model; with ``fsdp`` (fully sharded data parallel), each has a shard of every layer's weights, for models that are
    too large for one GPU."""

    average_weights: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """The decay, in (0, 1), of a moving average of the weights that is validated and saved instead of the weights, such
    as 0.995. If unset, no average is kept."""

    @field_validator("average_weights")
    @classmethod
    def refuse_average_weights_with_fsdp(cls, v: float | None, values: ValidationInfo) -> float | None:
        """Reject averages of sharded weights."""
        if v is not None and values.data.get("strategy") == "fsdp":
            raise ValueError("average_weights is not supported with strategy: fsdp; remove one of them")
        return v

    resume: bool = False
    """Whether to resume a run that was stopped or killed, as if it had not been interrupted. ``run.run_id`` or
    ``run.output_dir`` names the run, whose files are searched for under ``runs/`` and then, with ``run.use_mlflow``, on
    the MLflow server."""

    epochs: PositiveInt = 50
    """The number of passes over the training data."""

    gradient_accumulation_steps: PositiveInt = 1
    """The number of batches whose gradients are averaged for each optimizer step."""

    gradient_max_norm: NonNegativeFloat = 0.0
    """The maximum norm of the gradients, to which larger ones are clipped; 0.0 disables clipping."""

    main_metric: str | list[str] | None = None
    """The metric that determines which model is best, or a list of metrics whose sum does. If unset, the first metric
    of the configured outputs."""

    log_interval: PositiveInt = 100
    """The number of optimizer steps between those whose training loss is logged; in shorter epochs, the last step of
    each is logged."""

    log_save_interval: PositiveInt = 100
    """The number of steps between writes of ``metrics.csv``, which is also written after each validation and at the
    end."""

    checkpoint: CheckpointsConfig = CheckpointsConfig()
    """Options of validation, of the models to keep, and of early stopping."""

    deterministic: bool = True
    """Whether to use only deterministic algorithms, with which the same run gives the same weights, perhaps more
    slowly."""

    @field_validator("main_metric")
    @classmethod
    def check_directions(cls, v: str | list[str] | None) -> str | list[str] | None:
        """Reject a sum of metrics of different directions."""
        names = [v] if isinstance(v, str) else v
        if names is None:
            return v
        if not names:
            raise ValueError("expected at least one metric")
        known = [name for name in names if find_metric(name)]  # others are rejected where the outputs are known
        up = [name for name in known if higher_is_better(name)]
        down = [name for name in known if not higher_is_better(name)]
        if up and down:
            raise ValueError(
                f"higher is better for {', '.join(up)}, lower for {', '.join(down)}: they cannot be added up"
            )
        return v


class RunConfig(BaseConfig):
    """Options of the run, its directory and its tracking."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """The random seed of initial weights, of the order of the data, and of splits."""

    experiment_name: str = "default"
    """The name of the MLflow experiment that the run belongs to, also used in messages."""

    output_dir: Path | None = None
    """The directory of the run's files. If unset, it is ``runs/<experiment id>/<run_id>/`` with the id of the MLflow
    experiment, or ``0`` without MLflow."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None
    """The id of the run, 32 hexadecimal characters; random if unset. If MLflow has a run with this id, logging
    continues in that run."""

    use_mlflow: bool = False
    """Whether to track the run with MLflow (extra ``mlflow``), in addition to the files in the output directory."""

    mlflow_tracking_uri: PathText = "mlruns/"
    """The URI of an MLflow server, or a directory, in which runs are stored in a SQLite database. Used with
    ``use_mlflow``."""

    mlflow_always_log_artifacts: bool = False
    """Whether to send files to MLflow even when ``mlflow_tracking_uri`` is a directory on this machine. Used with
    ``use_mlflow``."""

    use_tensorboard: bool = False
    """Whether to write event files for TensorBoard (extra ``tensorboard``) to ``tensorboard/`` in the output
    directory."""

    predict_after_training: bool = False
    """Whether to predict with the best model after training, on the validation data into the directory of the run, and
    on ``data.test``, if it is given, into ``test/`` below it. Words of test data without alignments are aligned, for
    systems that read them. Quality estimation systems only."""

    overwrite: bool = False
    """Whether to replace files in the directory of the run that kiwi has not written. Files that are read are never
    overwritten."""
