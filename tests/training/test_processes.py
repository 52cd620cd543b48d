"""Two processes on the CPU in place of two GPUs, started as by torchrun and as on two machines."""

from __future__ import annotations

import csv
import os
import signal
import socket
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient
from safetensors.torch import load_file

from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.sampling import longest_first
from kiwi.exceptions import ConfigError
from kiwi.lib.train import train_from_configuration
from kiwi.runner import load_system
from kiwi.systems.batching import as_tensors
from kiwi.training import keep_state
from tests.pretrained import write_model

Options = Callable[..., dict[str, Any]]

PATIENCE = 20.0
"""The number of seconds to wait for a process when the other one has failed."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def two_processes(options: Mapping[str, Any], by: str, stop_at: int | None = None) -> list[int]:
    """Train in two processes and return their exit codes; ``stop_at`` is the batch at which the second is stopped."""
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [
        {
            "torchrun": {
                **{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"},
                **{"GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "none"},
            },
            "nodes": {"NODE_RANK": str(rank)},
            "slurm": {
                **{"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "kiwi", "SLURM_NODELIST": "127.0.0.1", "SLURM_LOCALID": "0"},
                **{"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "2"},
                **{"SLURM_PROCID": str(rank), "SLURM_NODEID": str(rank)},
            },
        }[by]
        for rank in (0, 1)
    ]
    children = []
    for rank, variables in enumerate(ranks):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads, which wait here
            child = os.fork()
        if child == 0:
            code = 1
            try:
                os.environ.update({**common, **variables})
                if stop_at is not None and rank == 1:
                    keep_state.KeepState.on_train_batch_start = stopping_at(stop_at)  # type: ignore[method-assign]
                train_from_configuration(options)
                code = 0
            except BaseException as error:
                place = Path(options["run"]["output_dir"]).parent
                place.joinpath(f"error-{rank}").write_text("".join(traceback.format_exception(error)))
                code = getattr(error, "exit_code", 1)
            finally:
                os._exit(code)
        children.append(child)
    return exit_codes(children)


def exit_codes(children: list[int]) -> list[int]:
    """Return the exit codes of processes; when one has failed, others that wait for it are killed after a while."""
    codes: dict[int, int] = {}
    since = time.monotonic()
    while len(codes) < len(children):
        for child in children:
            if child not in codes and (found := os.waitpid(child, os.WNOHANG))[0]:
                codes[child] = os.waitstatus_to_exitcode(found[1])
                since = time.monotonic()
        if any(codes.values()) and time.monotonic() - since > PATIENCE:
            for child in children:
                if child not in codes:
                    os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    return [codes[child] for child in children]


def stopping_at(batch: int) -> Callable[..., None]:
    plain = keep_state.KeepState.on_train_batch_start
    calls = 0

    def counted(self: keep_state.KeepState, *args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == batch:
            os.kill(os.getpid(), signal.SIGTERM)
        plain(self, *args)

    return counted


def validations(output_dir: Path) -> list[dict[str, str]]:
    with (output_dir / "metrics.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["val_PEARSON"]]


@pytest.mark.parametrize(
    ("by", "changes"), [("torchrun", {}), ("nodes", {"trainer.num_nodes": 2}), ("slurm", {"trainer.num_nodes": 2})]
)
def test_two_processes(by: str, changes: dict[str, Any], options: Options, tmp_path: Path) -> None:
    output_dir = tmp_path / "run"
    settings = options({"trainer.epochs": 2, "system.batch_size": {"train": 8, "valid": 5, "test": 8}, **changes})
    settings["run"]["output_dir"] = str(output_dir)
    assert two_processes(settings, by) == [0, 0], list(tmp_path.glob("error*"))
    # One of them writes.
    assert len(validations(output_dir)) == 2
    assert (output_dir / "output.log").read_text(encoding="utf-8").count("Training on") == 1
    assert not list(output_dir.rglob("*kiwi-part"))
    # Their metrics are those of one process over all of the data, each segment counted once.
    runner = load_system(output_dir / "best_model")
    system: Any = runner.engine.system
    valid = WMTQEDataset.read(WMTQEDataset.Config.from_dict(settings["data"]).valid)
    accumulators = system.accumulators()
    losses = []
    with torch.inference_mode():
        for batch in longest_first(system.lengths(valid.columns), 5):
            rows = [valid[index] for index in batch]
            losses += [system.validate(accumulators, as_tensors(system.collate(rows)))["loss"].item()] * len(rows)
    metrics = {f"val_{name}": value for one in accumulators.values() for name, value in one.compute().items()}
    best = max(validations(output_dir), key=lambda row: float(row["val_target_tags_MCC"]))
    assert len(metrics) > 10
    for name, value in metrics.items():
        assert float(best[name]) == pytest.approx(value, abs=1e-6), name
    assert float(best["val_loss"]) == pytest.approx(np.mean(losses), rel=1e-6)


def test_two_processes_stop_and_resume_together(options: Options, tmp_path: Path) -> None:
    weights = []
    for name, stop_at in (("whole", None), ("stopped", 3)):
        settings = options({"trainer.epochs": 3})
        settings["run"]["output_dir"] = str(tmp_path / name)
        codes = two_processes(settings, "torchrun", stop_at)
        if stop_at is not None:
            assert codes == [143, 143]
            settings["trainer"]["resume"] = True
            codes = two_processes(settings, "torchrun")
        assert codes == [0, 0], [path.read_text() for path in tmp_path.glob("error*")]
        weights.append((tmp_path / name / "best_model" / "model.safetensors").read_bytes())
        weights.append((tmp_path / name / "optimizer.safetensors").read_bytes())
        weights.append((tmp_path / name / "metrics.csv").read_bytes())
    assert weights[:3] == weights[3:]


def test_another_number_of_processes_is_not_resumed(options: Options, tmp_path: Path) -> None:
    settings = options({"trainer.epochs": 3})
    settings["run"]["output_dir"] = str(tmp_path / "run")
    assert two_processes(settings, "torchrun", stop_at=3) == [143, 143]
    settings["trainer"]["resume"] = True
    with pytest.raises(ConfigError, match=r"found 1 process\(es\); expected 2"):
        train_from_configuration(settings)
    assert two_processes(settings, "torchrun") == [0, 0]  # the refusal has not changed the run


def test_the_first_process_alone_tracks(options: Options, tmp_path: Path) -> None:
    settings = options({"trainer.num_nodes": 2, "run.use_mlflow": True})
    settings["run"] |= {"output_dir": str(tmp_path / "run"), "mlflow_tracking_uri": str(tmp_path / "mlruns")}
    assert two_processes(settings, "slurm") == [0, 0], list(tmp_path.glob("error*"))
    client = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    assert len(client.search_runs([each.experiment_id for each in client.search_experiments()])) == 1


def test_a_launcher_needs_a_run_id(options: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ConfigError, match=r"run\.run_id: required where a launcher"):
        train_from_configuration(options({"run.output_dir": None}))
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def sharded(options: Options, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The options of a system that can be sharded, with gradients that are exact enough to compare."""
    folder = write_model("bert", tmp_path / "bert")

    def make(name: str, **changes: Any) -> dict[str, Any]:
        model = {
            "encoder": {"model_name": str(folder), "hidden_size": 12, **changes.pop("encoder", {})},
            "decoder": {"hidden_size": 10, "bottleneck_size": 6, "dropout": 0.0},
            "outputs": {"word_level": {"target": True, "gaps": True}, "sentence_level": {"hter": True}},
        }
        plain = {"class_name": "sgd", "learning_rate": 0.01}
        base = {"system.class_name": "Transformer", "system.model": model, "system.optimizer": plain}
        settings = options({**base, "trainer.epochs": 2, "data.train.input.alignments": None, **changes})
        settings["run"]["output_dir"] = str(tmp_path / name)
        return settings

    return make


def best_weights(output_dir: Path) -> dict[str, torch.Tensor]:
    return load_file(output_dir / "best_model" / "model.safetensors")


def test_sharded_weights_are_those_of_whole_ones(sharded: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    for name, strategy in (("whole", "ddp"), ("parts", "fsdp")):
        changes = {"trainer.strategy": strategy, "trainer.gradient_max_norm": 1.0, "trainer.checkpoint.save_top_k": -1}
        settings = sharded(name, encoder={"freeze_layers": 1}, **changes)
        assert two_processes(settings, "torchrun") == [0, 0], [path.read_text() for path in tmp_path.glob("error*")]
    one, other = ({path.name for path in (tmp_path / name / "checkpoints").iterdir()} for name in ("whole", "parts"))
    assert len(one) == len(other) == 2
    whole, parts = best_weights(tmp_path / "whole"), best_weights(tmp_path / "parts")
    assert list(whole) == list(parts)
    for name, weight in whole.items():
        assert torch.allclose(weight, parts[name], atol=1e-5), name


def test_a_sharded_run_resumes(sharded: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    adam = {"system.optimizer": {"class_name": "adamw", "learning_rate": 0.001, "warmup_steps": 2}}
    settings = sharded("whole", **{"trainer.strategy": "fsdp", **adam})
    assert two_processes(settings, "torchrun") == [0, 0], [path.read_text() for path in tmp_path.glob("error*")]
    settings["run"]["output_dir"] = str(tmp_path / "stopped")
    assert two_processes(settings, "torchrun", stop_at=4) == [143, 143]
    settings["trainer"]["resume"] = True
    assert two_processes(settings, "torchrun") == [0, 0], [path.read_text() for path in tmp_path.glob("error*")]
    whole, parts = best_weights(tmp_path / "whole"), best_weights(tmp_path / "stopped")
    assert all(torch.equal(weight, parts[name]) for name, weight in whole.items())


def test_what_is_not_sharded_is_refused(
    options: Options, sharded: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="fsdp shards the weights across processes, and this run has one"):
        train_from_configuration(options({"trainer.strategy": "fsdp"}))
    expected = {
        "NuQE has none; use ddp": options({"trainer.strategy": "fsdp"}),
        "does not support lora": sharded(
            "frozen", **{"trainer.strategy": "fsdp"}, encoder={"freeze_for_number_of_steps": 2}
        ),
    }
    for message, settings in expected.items():
        assert two_processes(settings, "torchrun") == [ConfigError.exit_code] * 2
        assert all(message in path.read_text() for path in tmp_path.glob("error*"))
