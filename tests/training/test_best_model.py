from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.train import train_from_configuration
from kiwi.runner import load_system
from kiwi.systems.manifest.model_card import read_run_configuration
from kiwi.training.best_model import LONGEST_NAME, BestModel, name_checkpoint


@pytest.mark.parametrize(
    ("metrics", "value", "expected"),
    [
        (["PEARSON"], 0.43214, "epoch=2-step=50-val_PEARSON=0.4321"),
        (["target_tags_MCC", "PEARSON"], -0.5, "epoch=2-step=50-val_target_tags_MCC+PEARSON=-0.5000"),
        (["RMSE"], 1e300, "epoch=2-step=50-val_RMSE=1.0000e+300"),
        (["é" * 120], 0.5, "epoch=2-step=50-val_1_more=0.5000"),
        ([f"metric{n:02}_of_many" for n in range(22)], 3.5, None),
    ],
)
def test_names_of_checkpoints_fit(metrics: list[str], value: float, expected: str | None) -> None:
    name = name_checkpoint(2, 50, metrics, value)
    assert len(name.encode()) <= LONGEST_NAME
    if expected is None:
        listed = name.removeprefix("epoch=2-step=50-val_").removesuffix("=3.5000").split("+")
        assert listed[:-1] == metrics[: len(listed) - 1]
        assert listed[-1] == f"{22 - len(listed) + 1}_more"
    else:
        assert name == expected


def test_without_symbolic_links_the_best_model_is_a_copy(
    options: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "symlink", refuse)
    changes = {"trainer.epochs": 3, "trainer.main_metric": "RMSE", "trainer.log_interval": 1}
    info = train_from_configuration(options(changes))
    best = tmp_path / "run" / "best_model"
    assert not best.is_symlink()
    assert info.best_model_path is not None
    copied = {path.relative_to(best): path.read_bytes() for path in best.rglob("*") if path.is_file()}
    assert copied == {
        path.relative_to(info.best_model_path): path.read_bytes()
        for path in info.best_model_path.rglob("*")
        if path.is_file()
    }
    assert caplog.text.count("symbolic links are not supported there") == 1
    # Everything that takes a run or its best model takes the copy.
    assert inspect_checkpoint(tmp_path / "run").info == inspect_checkpoint(best).info
    assert load_system(best).about.sha256 == load_system(info.best_model_path).about.sha256
    assert read_run_configuration(best) == read_run_configuration(info.best_model_path)


@pytest.mark.parametrize("before", ["nothing", "link", "copy"])
@pytest.mark.parametrize("has_links", [True, False])
def test_the_best_model_is_replaced(
    before: str, has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("old", "new"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "file").write_text(name)
    link = tmp_path / "best_model"
    if before == "link":
        link.symlink_to("checkpoints/old")
    elif before == "copy":
        link.mkdir()
        (link / "file").write_text("old")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    if not has_links:
        monkeypatch.setattr(os, "symlink", refuse)
    best = BestModel(tmp_path)
    with caplog.at_level(logging.WARNING):
        best.point_to(tmp_path / "checkpoints" / "new")
        best.point_to(tmp_path / "checkpoints" / "new")
    assert (link / "file").read_text() == "new"
    assert (tmp_path / "checkpoints" / "old" / "file").read_text() == "old"
    assert link.is_symlink() == (has_links and before != "copy")
    assert {path.name for path in tmp_path.iterdir()} == {"best_model", "checkpoints"}
    best.remove()
    best.remove()
    assert not link.exists()
    assert (tmp_path / "checkpoints" / "new" / "file").read_text() == "new"


def test_other_errors_of_links_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "checkpoint").mkdir()
    monkeypatch.setattr(os, "symlink", full)
    with pytest.raises(OSError, match="No space"):
        BestModel(tmp_path).point_to(tmp_path / "checkpoint")
