"""What is said when standard output cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
"""A device on which there is no space."""

CODE = """
import sys
from kiwi.cli import run
from kiwi.utils.process.output import name_errors_of_output
name_errors_of_output()
def echo():
    import typer
    typer.echo("x")
def exit_with_output():
    print("x" * 10)
    sys.exit(0)
def fill():
    print("x" * 100_000)
    print("y" * 100_000)
def fill_beside_a_file():
    from pathlib import Path
    from kiwi.utils.staging import staged
    with staged(Path("rejects")) as stage:
        stage.write_text("x")
        fill()
sys.exit(run({}))
"""


def run_on_full_device(application: str, unbuffered: str, directory: Path) -> str:
    """Run an application whose standard output takes nothing, and return its error."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", CODE.format(application)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            cwd=directory,
            check=False,
        )
    assert done.returncode == 1
    return done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("application", ["echo", "exit_with_output", "fill"])
def test_an_error_of_standard_output_names_it_and_the_next_step(
    application: str, unbuffered: str, tmp_path: Path
) -> None:
    is_finished = application == "exit_with_output" and not unbuffered
    outcome = "What the command has written into files or directories of its own is complete"
    if not is_finished:
        outcome = "The command was stopped before its end"
    assert run_on_full_device(application, unbuffered, tmp_path) == (
        "Error: Standard output cannot be written: No space left on device. Free some space, or choose another file "
        f"system. {outcome}.\n"
    )


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_command_that_standard_output_stops_does_not_say_that_its_files_are_complete(tmp_path: Path) -> None:
    message = run_on_full_device("fill_beside_a_file", "", tmp_path)
    assert "The command was stopped before its end" in message
    assert "complete" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_output_that_can_be_written_is_as_before(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONIOENCODING": "latin-1:replace"}
    code = CODE.format("fill").replace('"x" * 100_000', '"é\\u4e2d"')
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert done.stdout == "é?\n".encode("latin-1") + b"y" * 100_000 + b"\n"


@pytest.mark.parametrize("application", ["app", "exit_with_output"])
def test_a_reader_that_has_closed_the_pipe_ends_the_command_without_a_message(application: str) -> None:
    code = "from kiwi.cli import app\n" + CODE.format(application)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        command = [sys.executable, "-c", code, "--version"]
        environment = {**os.environ, "PYTHONUNBUFFERED": ""}
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (1, "")
