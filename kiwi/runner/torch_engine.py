"""The engine for checkpoints, torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from typing_extensions import override

from kiwi.data.batch import NumpyBatch
from kiwi.exceptions import ConfigError
from kiwi.runner.engine import AboutSystem, Engine, best_batch_tokens
from kiwi.runner.options import PredictOptions
from kiwi.runner.runner import Runner
from kiwi.systems.batching import as_tensors
from kiwi.systems.config.architectures import ARCHITECTURES
from kiwi.systems.config.system import model_config_of
from kiwi.systems.manifest.checkpoint import read_checkpoint_info
from kiwi.systems.manifest.export import is_export
from kiwi.systems.outputs.quality_estimation import QEOutputs
from kiwi.systems.precision import choose_precision, warn_if_emulated
from kiwi.systems.qe_system import QESystem
from kiwi.utils.process.threads import number_of_threads


class TorchEngine(Engine):
    """Computes with torch.

    Args:
        system: the trained system.
        device: the device to compute on.
        precision: the precision of the computation, ``32``, ``bf16``, or ``16`` on a GPU.
    """

    def __init__(self, system: QESystem, device: torch.device | str = "cpu", precision: str = "32") -> None:
        self.device = torch.device(device)
        if precision == "16" and self.device.type == "cpu":
            raise ConfigError("precision: 16 needs a GPU; set auto or 32.")
        self.dtype = {"bf16": torch.bfloat16, "16": torch.float16}.get(precision)
        self.system = system.to(self.device).eval()
        self.collate = system.collate
        self.batch_tokens = best_batch_tokens(self.collate, on_cpu=self.device.type == "cpu")
        outputs, place = system.model_config.outputs, system.loaded_from
        self.about = AboutSystem(
            class_name=system.class_name,
            input_fields=tuple(system.input_fields),
            outputs=tuple(outputs.names),
            use_distribution=outputs.sentence_level.use_distribution,
            span_level=outputs.span_level,
            data=system.data_info,
            n_parameters=sum(parameter.numel() for parameter in system.parameters()),
            sha256="" if place is None or is_export(place) else read_checkpoint_info(place).sha256,
            precision=precision,
            place=place,
        )

    @override
    @torch.inference_mode()
    def __call__(self, batch: NumpyBatch) -> dict[str, NDArray[Any]]:
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            values = self.system.values(as_tensors(batch, self.device))
        return {name: tensor.float().cpu().numpy() for name, tensor in values.items()}


def runner_of(system: QESystem, device: torch.device | str = "cpu") -> Runner:
    """Return a runner for a system that is already in memory."""
    return Runner(TorchEngine(system, device))


def load_checkpoint(path: Path, options: PredictOptions | None = None) -> TorchEngine:
    """Load the engine of a checkpoint; see :func:`kiwi.runner.load_system`."""
    options = options or PredictOptions()
    gpu_id = options.gpu_id
    outputs = _restrict_outputs(path, options.model) if options.model else None
    if gpu_id is not None and not 0 <= gpu_id < torch.cuda.device_count():
        raise ConfigError(f"gpu_id: found {gpu_id}; this machine has {torch.cuda.device_count()} GPUs.")
    torch.set_num_threads(number_of_threads(options.threads))
    system = QESystem.load(path)
    if outputs is not None:
        system.restrict_outputs(outputs)
    device = "cpu" if gpu_id is None else f"cuda:{gpu_id}"
    precision = choose_precision(device) if options.precision == "auto" else options.precision
    warn_if_emulated("precision", precision, device)
    return TorchEngine(system, device, precision)


def _restrict_outputs(path: Path, model: Mapping[str, Any]) -> QEOutputs.Config:
    """Return the outputs of a trained system with some switched off; reject any other change of options."""
    if set(model) != {"outputs"}:
        raise ConfigError(f"system.model: found {', '.join(model)}; only 'outputs' can be changed for prediction.")
    info = read_checkpoint_info(path)
    trained: QEOutputs.Config = model_config_of(info, path, ARCHITECTURES).outputs
    given = dict(model["outputs"] or {})
    sentence = dict(given.get("sentence_level") or {})
    if sentence.get("hter") is False:
        given["sentence_level"] = sentence | {"use_distribution": False}
    if given.get("span_level") is True and trained.span_level is not None:
        del given["span_level"]  # as it was trained
    outputs: QEOutputs.Config = model_config_of(info, path, ARCHITECTURES, {"outputs": given}).outputs
    if untrained := [name for name in outputs.names if name not in trained.names]:
        raise ConfigError(
            f"system.model.outputs: {path} was not trained for {', '.join(untrained)}; "
            f"it predicts {', '.join(trained.names)}."
        )
    word = outputs.word_level.model_copy(update={"class_weights": trained.word_level.class_weights})
    distribution = trained.sentence_level.use_distribution and outputs.sentence_level.hter
    switches = {"hter": outputs.sentence_level.hter, "binary": outputs.sentence_level.binary}
    level = trained.sentence_level.model_copy(update=switches | {"use_distribution": distribution})
    custom = {name: options if outputs.custom.get(name) else False for name, options in trained.custom.items()}
    spans = trained.span_level if outputs.span_level is not None else None
    restricted = trained.model_copy(
        update={"word_level": word, "sentence_level": level, "span_level": spans, "custom": custom}
    )
    if restricted != outputs:
        raise ConfigError(
            f"system.model.outputs: only outputs can be switched off for prediction; everything else must be as {path} "
            "was trained. Remove the other options."
        )
    return outputs
