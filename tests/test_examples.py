"""The scripts in ``examples/`` run as their README says, and write nowhere but below the given directory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
def test_it_runs(name: str, tmp_path: Path) -> None:
    current = tmp_path / "current"
    current.mkdir()
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, tmp_path / "out"],
        cwd=current,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(EXPECTED[name], done.stdout, re.MULTILINE), done.stdout
    assert any((tmp_path / "out").iterdir())
    assert not any(current.iterdir())
