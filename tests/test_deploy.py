"""The image and the unit in ``deploy/``: what tools say of them, and whether their commands are kiwi's."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import typer

from kiwi.cli import app

DEPLOY = Path(__file__).parent.parent / "deploy"
UNIT = DEPLOY / "kiwi-serve.service"
DOCKERFILE = DEPLOY / "Dockerfile"


def check_command(arguments: list[str]) -> dict[str, object]:
    """Return the options of a command of kiwi, which takes all of them."""
    program, name, *given = arguments
    assert Path(program).name == "kiwi"
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    return dict(command.make_context(name, given).params)


def test_the_unit_is_one_of_systemd(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8")
    copy = tmp_path / UNIT.name  # with a program that exists
    copy.write_text(text.replace("/opt/kiwi/bin/kiwi", sys.executable), encoding="utf-8")
    verified = subprocess.run(["systemd-analyze", "--man=no", "verify", copy], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", copy], capture_output=True, text=True
    )
    assert rated.returncode == 0, rated.stdout  # of 100, which is no protection


def test_the_unit_runs_kiwi() -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    options = check_command(shlex.split(line))
    assert options["model"] == ["/var/lib/kiwi/model"]
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert int(seconds) > float(str(options["shutdown_timeout"]))


def test_the_image_runs_kiwi() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    (command,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    options = check_command([*ast.literal_eval(entry), *ast.literal_eval(command)])
    assert (options["model"], options["host"]) == (["/model"], "0.0.0.0")
    assert f"EXPOSE {options['port']}" in text
    (check,) = re.findall(r"^  CMD (.*)$", text, re.MULTILINE)
    _, _, program = ast.literal_eval(check)
    ast.parse(program)
    assert f"http://127.0.0.1:{options['port']}/health/ready" in program
