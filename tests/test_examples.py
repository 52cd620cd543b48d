"""The scripts in ``examples/`` run as their README says, and write nowhere but below the given directory."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

import kiwi

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

EXPECTED = {
    "train.py": r"^predicted HTER \d\.\d{3}, tags (OK|BAD)( (OK|BAD)){4}$",
    "fine_tune_encoder.py": r"^val_PEARSON -?\d\.\d{3}$",
    "score_from_python.py": r"^same alone: True$",
    "evaluate_two_systems.py": r"^rank 1: .*window-[13]",
    "add_an_output.py": r"^0\.\d{3}  Schließen Sie die Bank \.$",
}
"""A line that each script prints."""


def test_every_example_is_known_here_and_in_the_readme() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == set(EXPECTED)
    assert set(re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))) == names


@pytest.mark.parametrize("name", EXPECTED)
def test_it_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    current = tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLES / name), str(tmp_path / "out")])
    outputs = dict(kiwi.OUTPUTS)
    try:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    finally:  # an example adds one
        kiwi.OUTPUTS.clear()
        kiwi.OUTPUTS.update(outputs)
    printed = capsys.readouterr().out
    assert re.search(EXPECTED[name], printed, re.MULTILINE), printed
    assert any((tmp_path / "out").iterdir())
    assert not any(current.iterdir())
