"""Two real processes, each with its own share of the data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCRIPT = """
import json, os, sys
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer

from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.lib.utils import configure_seed
from kiwi.systems.qe_system import QESystem
from kiwi.training.module import TrainingModule

torch.set_num_threads(1)


class Report(Callback):
    def __init__(self):
        self.epochs = []

    def on_train_epoch_start(self, trainer, module):
        self.epochs.append([])

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.epochs[-1].append([row[mask].tolist() for row, mask in zip(batch.source, batch.source_mask)])

    def on_train_end(self, trainer, module):
        content = {
            "world_size": trainer.world_size,
            "epochs": self.epochs,
            "weights": {name: tensor.tolist() for name, tensor in module.system.state_dict().items()},
            "metrics": {name: value.item() for name, value in trainer.callback_metrics.items() if "val_" in name},
        }
        Path(sys.argv[2], f"rank-{trainer.global_rank}.json").write_text(json.dumps(content))


if __name__ == "__main__":
    options = json.loads(Path(sys.argv[1]).read_text())
    config = QESystem.Config.from_dict(options["system"])
    train, valid = WMTQEDataset.train_and_valid(WMTQEDataset.Config.from_dict(options["data"]), 1)
    # Weights that differ at first, because the processes have to agree on them.
    configure_seed(int(os.environ.get("LOCAL_RANK", 0)))
    system = QESystem.build(config, train.columns)
    module = TrainingModule(
        system, config, train, valid, main_metric=["target_tags_MCC"], buffer_size=None, seed=1
    )
    trainer = Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, callbacks=[Report()], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        use_distributed_sampler=False, num_sanity_val_steps=0,
    )
    trainer.fit(module)
"""


def test_two_processes_share_weights_and_split_the_data(
    options: Callable[..., dict[str, Any]], corpus: Any, tmp_path: Path
) -> None:
    script, settings = tmp_path / "train.py", tmp_path / "options.json"
    script.write_text(SCRIPT)
    settings.write_text(json.dumps(options({"system.batch_size": 10})))
    environment = {name: value for name, value in os.environ.items() if name != "LOCAL_RANK"}
    done = subprocess.run(
        [sys.executable, str(script), str(settings), str(tmp_path)],
        env={**environment, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ranks = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    assert [rank["world_size"] for rank in ranks] == [2, 2]
    assert ranks[0]["weights"] == ranks[1]["weights"]
    assert ranks[0]["metrics"] == ranks[1]["metrics"]
    assert "val_target_tags_MCC" in ranks[0]["metrics"]
    n_segments = len(corpus.lines("train", "source"))
    for epoch in (0, 1):
        # Four batches of ten, two a process.
        shares = [rank["epochs"][epoch] for rank in ranks]
        assert [[len(batch) for batch in share] for share in shares] == [[10, 10], [10, 10]]
        segments = [json.dumps(segment) for share in shares for batch in share for segment in batch]
        assert len(set(segments)) == len(segments) == n_segments
    assert ranks[0]["epochs"][0] != ranks[0]["epochs"][1]
