"""The LightningModule that trains a system."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor, optim
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader
from typing_extensions import override

from kiwi import constants as const
from kiwi.data.batch import NumpyBatch, QEBatch
from kiwi.data.datasets.parallel_dataset import ParallelDataset
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.sampling import GroupSampling, ShuffledBatches, longest_first
from kiwi.exceptions import ConfigError, KiwiError
from kiwi.metrics.functions import higher_is_better
from kiwi.systems.batching import as_tensors, build_loader
from kiwi.systems.config.system import SystemConfig
from kiwi.systems.encoders.frozen_layers import WithFrozenStates
from kiwi.systems.encoders.transformer import TransformerEncoder
from kiwi.systems.system import System
from kiwi.training.devices import gather_objects
from kiwi.training.lightning_internals import is_logging_step, log_at_least_every
from kiwi.training.optimizers import build_optimizer, build_schedule
from kiwi.training.pair_metrics import PairMetrics
from kiwi.training.sharding import shard

logger = logging.getLogger(__name__)

Dataset = WMTQEDataset | ParallelDataset

MAX_LISTED = 16
"""The maximum number of segments of a batch that an error lists."""


class TrainingModule(LightningModule):
    """Trains a system and evaluates it on the validation data.

    Args:
        system: the system to train.
        config: the configuration of the system, with ``optimizer``, batch sizes and workers.
        train: the training data.
        valid: the validation data.
        main_metric: the names, without ``val_``, of the metrics whose sum determines which model is best.
        buffer_size: the number of segments that are sorted by length together.
        seed: the seed of the order of the training data.
        start_position: the epoch and the batch to start with, counted from 0; not (0, 0) in a resumed run.
        pair_temperature: the temperature by which language pairs are sampled; at 1, each segment is read once an epoch.
    """

    def __init__(
        self,
        system: System,
        config: SystemConfig,
        train: Dataset,
        valid: Dataset,
        *,
        main_metric: list[str],
        buffer_size: int | None,
        seed: int,
        start_position: tuple[int, int] = (0, 0),
        pair_temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # a process may have no validation data
        self.system = system
        self.config = config
        self.train_data = train
        self.valid_data = valid
        self.main_metric = main_metric
        self.buffer_size = buffer_size
        self.seed = seed
        self.start_position = start_position
        self.sampling: GroupSampling | None = None
        """How language pairs are sampled; None reads each segment once an epoch."""
        if pair_temperature != 1.0:
            self.sampling = GroupSampling(train.columns[const.LANGUAGE_PAIR], pair_temperature)
        self.validation = PairMetrics(valid.columns.get(const.LANGUAGE_PAIR, ()))
        self.collate = WithFrozenStates(system.collate)
        self._current_batch = ("train", 0)
        self._is_sharded = False

    @property
    def monitor(self) -> str:
        """The name under which the main metric is logged."""
        return "val_" + "+".join(self.main_metric)

    @property
    def monitor_mode(self) -> str:
        """The direction of the main metric, ``max`` or ``min``."""
        return "max" if higher_is_better(self.main_metric[0]) else "min"

    @override
    def configure_model(self) -> None:
        """Shard the weights across processes if the strategy asks for it."""
        if isinstance(self.trainer.strategy, ModelParallelStrategy) and not self._is_sharded:
            assert self.device_mesh is not None
            shard(self.system, self.device_mesh["data_parallel"])
            self._is_sharded = True

    @override
    def on_train_start(self) -> None:
        """Log the training loss at least once an epoch, however short it is."""
        n_steps = -(-int(self.trainer.num_training_batches) // self.trainer.accumulate_grad_batches)
        log_at_least_every(self.trainer, n_steps)

    @override
    def on_fit_start(self) -> None:
        """Compute the outputs of the encoder's frozen layers for all segments, once for all epochs."""
        encoder = self.system.encoder
        epochs = self.trainer.max_epochs or 1
        if epochs == 1 or not isinstance(encoder, TransformerEncoder) or not encoder.config.freeze_layers:
            return
        if not encoder.keeps_states or self._is_sharded:
            logger.info("The outputs of the frozen layers are computed in each epoch.")
            return
        was_training = encoder.training
        encoder.eval()
        parts = [data.columns for data in (self.train_data, self.valid_data)]
        texts = [zip(columns[const.SOURCE], columns[const.TARGET], strict=True) for columns in parts]
        rows = [{const.SOURCE: source, const.TARGET: target} for part in texts for source, target in part]
        lengths = [length for columns in parts for length in self.system.lengths(columns)]
        batches = longest_first(lengths, self.config.batch_size_for("valid"))
        logger.info("Computing the frozen layers for %d segments.", len(rows))
        with self.trainer.precision_plugin.forward_context():
            place = Path(self.trainer.default_root_dir)
            self.collate.states = encoder.compute_states(rows, batches, self.system.collate, place)
        encoder.train(was_training)

    @override
    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of shuffled batches, different ones in each process."""
        self._batches = ShuffledBatches(
            self.system.lengths(self.train_data.columns),
            self.config.batch_size_for("train"),
            buffer_size=self.buffer_size,
            groups=self.sampling,
            seed=self.seed,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
        )
        self._batches.resume_at(*self.start_position)
        return build_loader(self.train_data, self._batches, self.collate, self.config.num_data_workers)

    @override
    def val_dataloader(self) -> DataLoader[Any]:
        """Return the loader of batches of segments of similar length and one language pair, for this process alone."""
        batches = self.validation.batches(
            self.system.lengths(self.valid_data.columns),
            self.config.batch_size_for("valid"),
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        return build_loader(self.valid_data, batches, self.collate, self.config.num_data_workers)

    @override
    def transfer_batch_to_device(self, batch: NumpyBatch, device: Any, dataloader_idx: int) -> QEBatch[Tensor]:
        """Convert the arrays of a batch to tensors on the device."""
        return as_tensors(batch, device)

    @override
    def training_step(self, batch: QEBatch[Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch.

        Raises:
            KiwiError: when the loss is not finite; the message lists the segments of the batch.
        """
        losses = self.system.losses(batch)
        if not torch.isfinite(losses["loss"]):
            raise self._divergence_error("training", f" {self._describe_batch(batch_idx)}")
        if is_logging_step(self.trainer) or self.trainer.progress_bar_callback is not None:
            for name, value in losses.items():
                self.log(f"train_{name}", value.detach(), prog_bar=name == "loss", batch_size=len(batch))
        return losses["loss"]

    def _divergence_error(self, part: str, segments: str = "") -> KiwiError:
        return KiwiError(
            f"Training has diverged: the {part} loss at step {self.global_step} is not a number{segments}. Try a lower "
            "system.optimizer.learning_rate, or trainer.gradient_max_norm=1.0."
        )

    @contextmanager
    def explain_memory_errors(self) -> Iterator[None]:
        """Replace torch's out-of-memory errors by ones that name the batch and the options to change.

        Raises:
            KiwiError: when there is not enough memory for a batch.
        """
        try:
            yield
        except RuntimeError as error:  # torch.OutOfMemoryError of a GPU is one
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
            part, batch_idx = self._current_batch
            segments = f" {self._describe_batch(batch_idx)}" if part == "train" else ""
            reason = str(error).splitlines()[0]
            raise KiwiError(
                f"Out of memory in batch {batch_idx + 1} of the {part} data{segments}: {reason} Lower "
                f"system.batch_size.{part} (with trainer.gradient_accumulation_steps, training stays the same), or "
                "need less: set trainer.precision=bf16 or, for a pretrained encoder, gradient_checkpointing=true, "
                "freeze_layers, source_max_length or target_max_length."
            ) from error

    def _describe_batch(self, batch_idx: int) -> str:
        """List the segments of a batch of this epoch; seed and epoch determine their order."""
        indices = next(islice(self._batches.full_epoch(), batch_idx, None))
        numbers = ", ".join(str(index + 1) for index in sorted(indices)[:MAX_LISTED])
        more = f" and {len(indices) - MAX_LISTED} more" if len(indices) > MAX_LISTED else ""
        return f"(segments {numbers}{more} of the training data)"

    @override
    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the norm of all gradients together.

        Lightning refuses to clip for a fused optimizer in mixed precision, because such an optimizer may unscale the
        gradients afterwards. Ours are fused on the CPU only, where gradients are not scaled.
        """
        if gradient_clip_val and optimizer.defaults.get("fused"):
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            torch.nn.utils.clip_grad_norm_(weights, gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    @override
    def on_train_batch_start(self, batch: QEBatch[Tensor], batch_idx: int) -> None:
        """Tell the encoder how far training is, in optimizer steps."""
        self._current_batch = ("train", batch_idx)
        self.system.encoder.at_step(self.global_step)

    @override
    def on_validation_batch_start(self, batch: QEBatch[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Remember the batch, for errors."""
        self._current_batch = ("valid", batch_idx)

    @override
    def on_validation_epoch_start(self) -> None:
        """Reset the metrics."""
        self.validation.reset(self.system.accumulators)

    @override
    def validation_step(self, batch: QEBatch[Tensor], batch_idx: int) -> None:
        """Add a batch to the metrics.

        Raises:
            KiwiError: when training has diverged.
        """
        losses = self.system.validate(self.validation.of_batch(batch_idx), batch)
        if not torch.isfinite(losses["loss"]):
            raise self._divergence_error("validation")
        for name, value in losses.items():
            self.log(f"val_{name}", value, batch_size=len(batch), sync_dist=True)

    @override
    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the whole corpus, merged from the segments of each process."""
        metrics = self.validation.compute(gather_objects(self.trainer, self.validation.accumulators))
        if lacking := [name for name in self.main_metric if name not in metrics]:
            raise ConfigError(
                f"trainer.main_metric: the validation data has no labels for {lacking[0]}. Name another metric, or add "
                "the labels (data.valid.output)."
            )
        if len(self.main_metric) > 1:
            metrics["+".join(self.main_metric)] = sum(metrics[name] for name in self.main_metric)
        self.log_dict({f"val_{name}": value for name, value in metrics.items()})
        if not self.trainer.sanity_checking:
            first, *of_pairs = self.validation.describe(metrics, self.main_metric)
            logger.info("Epoch %d, step %d: %s", self.current_epoch + 1, self.global_step, first)
            for line in of_pairs:
                logger.info(line)

    @override
    def configure_optimizers(self) -> Any:
        """Build the optimizer and the schedule that the configuration of the system describes."""
        assert self.config.optimizer is not None, "training requires it"
        optimizer: optim.Optimizer = build_optimizer(self.system, self.config.optimizer)
        schedule = build_schedule(
            optimizer,
            self.config.optimizer,
            int(self.trainer.estimated_stepping_batches),
            higher_is_better=self.monitor_mode == "max",
        )
        if schedule is None:
            return optimizer
        if isinstance(schedule, ReduceLROnPlateau):
            options = {"scheduler": schedule, "interval": "epoch", "monitor": self.monitor, "reduce_on_plateau": True}
            options["strict"] = False  # an epoch may end before the first validation
        else:
            options = {"scheduler": schedule, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": options}
