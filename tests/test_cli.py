"""The command line as users run it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import kiwi.cli

Options = Callable[..., dict[str, Any]]
Done = subprocess.CompletedProcess[str]

TRACEBACK = "Traceback (most recent call last)"


def run(*arguments: str | Path, cwd: Path) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "kiwi", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command in this process, which spares it loading torch again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run_here(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["kiwi", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            kiwi.cli.main()
        assert isinstance(ended.value.code, int)
        return Done(sys.argv, ended.value.code, *capfd.readouterr())

    return run_here


def failed(done: Done, exit_code: int, *messages: str) -> None:
    """With a message and nothing else."""
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert TRACEBACK not in done.stderr
    for message in messages:
        assert message in done.stderr


def test_version(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"kiwi {kiwi.__version__}\n", "")


@pytest.mark.parametrize("arguments", [("-h",), ("--help",)])
def test_help(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    for pipeline in ("train", "pretrain", "predict", "evaluate", "search", "encoder", "vectors", "inspect", "publish"):
        assert pipeline in done.stdout


@pytest.mark.parametrize("pipeline", ["train", "pretrain", "predict", "evaluate", "search"])
def test_help_of_a_pipeline(pipeline: str, tmp_path: Path) -> None:
    done = run(pipeline, "-h", cwd=tmp_path)
    assert done.returncode == 0
    for option in ("--example", "--verbose", "--quiet", "-v", "-q", "KEY=VALUE"):
        assert option in done.stdout


def test_engines_of_prediction(run_here: Callable[..., Done]) -> None:
    assert "--engine" in run_here("predict", "-h").stdout
    done = run_here("predict", "--example", "--engine", "ray")
    failed(done, 2, "run, data: given, but the engine is 'ray'")
    failed(run_here("predict", "--example", "--engine", "spark"), 2, "engine: found 'spark'")


# Mistakes.


@pytest.mark.parametrize("pipeline", ["train", "pretrain", "predict", "evaluate", "search"])
def test_no_configuration(pipeline: str, run_here: Callable[..., Done]) -> None:
    failed(run_here(pipeline), 2, f"kiwi {pipeline}: found no configuration file", "--example")


def test_overrides_without_a_configuration(run_here: Callable[..., Done]) -> None:
    failed(run_here("train", "trainer.epochs=1"), 2, "found no configuration file")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    failed(run("evaluate", "nowhere.yaml", cwd=tmp_path), 2, "nowhere.yaml: no such configuration file")


def test_an_override_without_a_value(run_here: Callable[..., Done]) -> None:
    done = run_here("evaluate", "--example", "verbose")
    failed(done, 2, "Override 'verbose': found no '='; expected key=value")


def test_all_mistakes_are_listed_with_their_paths(
    options: Options, run_here: Callable[..., Done], tmp_path: Path
) -> None:
    config = tmp_path / "train.yaml"
    config.write_text(yaml.safe_dump(options({"data.valid": None, "system.model.encoder.windowsize": 3})))
    done = run_here("train", config, "trainer.epochs=0", "run.run_id=xyz", "sytem.batch_size=3")
    failed(
        done,
        2,
        "5 mistakes in the configuration:",
        "trainer.epochs: ",
        "run.run_id: ",
        "data.valid: exactly one of data.valid and data.split is required",
        "system.model.encoder.windowsize: unknown key; did you mean 'window_size'?",
        "sytem: unknown key; did you mean 'system'?",
    )
    assert not (tmp_path / "run").exists()


def test_data_that_cannot_be_used(options: Options, corpus: Any, tmp_path: Path) -> None:
    lines = corpus.lines("valid", "target_tags")
    lines[6] = "OK"
    (tmp_path / "broken.tags").write_text("\n".join(lines) + "\n")
    (tmp_path / "train.json").write_text(json.dumps(options()))
    override = f"data.valid.output.target_tags={tmp_path / 'broken.tags'}"
    done = run("train", "train.json", override, "-q", cwd=tmp_path)
    failed(done, 3, f"{tmp_path / 'broken.tags'}, line 7: found 1 tags; expected ")


def test_a_checkpoint_that_cannot_be_used(run_here: Callable[..., Done]) -> None:
    failed(run_here("predict", "--example"), 4, "runs/example/best_model", "found nothing there")


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_verbose_shows_the_traceback_too(option: str, tmp_path: Path) -> None:
    done = run("evaluate", "--example", option, cwd=tmp_path)
    assert TRACEBACK in done.stderr
    assert "predicted_dir" in done.stderr
    assert done.returncode == 2


def test_an_unknown_command(tmp_path: Path) -> None:
    done = run("trian", cwd=tmp_path)
    assert done.returncode == 2
    assert "trian" in done.stderr
    assert TRACEBACK not in done.stderr


# The examples, one after the other.


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    directory = tmp_path_factory.mktemp("example")
    return directory, run("train", "--example", "-q", "trainer.epochs=1", cwd=directory)


def test_quiet_training_prints_the_path_of_the_model(example: tuple[Path, Done]) -> None:
    directory, done = example
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (path,) = done.stdout.splitlines()
    assert (directory / path / "model.safetensors").is_file()
    assert (directory / path).resolve() == (directory / "runs" / "example" / "best_model").resolve()


def test_overrides_reach_the_run(example: tuple[Path, Done]) -> None:
    directory, _ = example
    written = yaml.safe_load((directory / "runs" / "example" / "config.yaml").read_text())
    assert written["trainer"]["epochs"] == 1
    assert written["run"]["experiment_name"] == "example"
    assert written["quiet"] is True


@pytest.fixture(scope="module")
def predicted(example: tuple[Path, Done]) -> tuple[Path, Done]:
    directory, _ = example
    return directory, run("predict", "--example", "-q", cwd=directory)


def test_quiet_prediction_says_nothing(predicted: tuple[Path, Done]) -> None:
    directory, done = predicted
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    scores = (directory / "runs" / "example" / "predictions" / "sentence_scores").read_text().splitlines()
    assert len(scores) == 60
    assert all(0.0 <= float(score) <= 1.0 for score in scores)


@pytest.mark.parametrize("option", [[], ["-q"]])
def test_evaluation_of_the_example(predicted: tuple[Path, Done], option: list[str]) -> None:
    directory, _ = predicted
    done = run("evaluate", "--example", *option, cwd=directory)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for name in ("target_tags", "gap_tags", "source_tags", "sentence_scores", "MCC", "PEARSON", "RMSE"):
        assert name in done.stdout
    assert "655" in done.stdout  # target words


def test_training_shows_log_and_figures(options: Options, tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(options({"data.split": None})))
    done = run("train", "train.yaml", "debug=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Training on 40 segments, validating on 12" in done.stderr
    assert "Warning" not in done.stderr
    assert "Best model" in done.stdout
    assert "target_tags_MCC" in done.stdout
    assert Path(done.stdout.splitlines()[-1]).is_dir()


def test_search(tmp_path: Path) -> None:
    options = ["num_trials=2", "base_config.trainer.epochs=1", "options.warmup_steps=[0.1]", "-q"]
    done = run("search", "--example", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["optunaruns/example/best.yaml"]
    there = {path.name for path in (tmp_path / "optunaruns" / "example").iterdir()}
    assert {"best.yaml", "search.html", "search.yaml", "study.journal", "trial_0", "trial_1"} <= there


def test_the_configuration_of_an_example_is_printed_and_switches_may_come_first(tmp_path: Path) -> None:
    overrides = ["trainer.epochs=05", "data.source_language=no", "run.mlflow_tracking_uri=https://me:secret@host"]
    done = run("-q", "train", "--example", "--print-config", *overrides, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "mine.yaml").write_text(done.stdout, encoding="utf-8")
    again = run("train", "mine.yaml", "--print-config", cwd=tmp_path)
    assert again.stdout == done.stdout
    assert "source_language: no\n" in done.stdout
    assert "secret" not in done.stdout
    assert not list(tmp_path.glob("runs"))


@pytest.mark.parametrize("pipeline", ["train", "pretrain", "predict", "evaluate", "search"])
def test_an_unknown_variable_is_refused_for_every_pipeline(pipeline: str, run_here: Callable[..., Done]) -> None:
    failed(run_here(pipeline, "--example", "_corpu=/data"), 2, "_corpu", "no such variable")


def test_the_home_directory_is_expanded_on_the_command_line(
    run_here: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    failed(run_here("inspect", "~/nothing"), 4, str(tmp_path / "home" / "nothing"))
    failed(run_here("evaluate", "~/nothing.yaml"), 2, str(tmp_path / "home" / "nothing.yaml"))
    failed(run_here("inspect", "~nobody-here/x"), 2, "no such user")
    assert not (tmp_path / "~").exists()


def test_help_shows_no_types_of_python() -> None:
    from typer.testing import CliRunner

    from kiwi.cli import COMMANDS, app

    for command in COMMANDS:
        done = CliRunner().invoke(app, [command, "-h"])
        assert done.exit_code == 0
        assert "list[str]>" not in done.stdout.partition("Options:")[0]


def test_commands_are_completed() -> None:
    from typer.testing import CliRunner

    from kiwi.cli import app

    for words, expected in (
        ("kiwi ex", "export"),
        ("kiwi export --so", "--source"),
        ("kiwi train --pr", "--print"),
        ("kiwi corpus j", "join"),
        ("kiwi corpus join --keep", "--keep-leaks"),
    ):
        environment = {
            "_KIWI_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        done = CliRunner().invoke(app, [], prog_name="kiwi", env=environment)
        assert expected in done.stdout.split()[-1]
        assert "corpus join" not in done.stdout


@pytest.mark.parametrize("name", ["a[/b]", "run [v2]", "x[red]y[link=http:/evil]z", "\x1b[31mred", ":smile:", "a\nb"])
def test_names_in_tables_are_no_markup(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from kiwi.lib.console.tables import print_table

    print_table(name, ["system", name], [[name, "1"]])
    shown = capsys.readouterr().out
    assert shown.count(name.replace("\x1b", "\\x1b").replace("\n", "\\n")) == 3
    assert "\x1b" not in shown


MODULES = """
import sys
from kiwi.cli import app
try:
    app(sys.argv[1:])
except SystemExit:
    pass
print(sorted(name for name in sys.modules if name.startswith("kiwi.") or name in ("numpy", "yaml")))
"""


@pytest.mark.parametrize(("arguments", "module"), [(("score", "-h"), "scoring"), (("models", "-h"), "systems")])
def test_only_the_command_that_is_used_is_imported(arguments: tuple[str, ...], module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    assert f"kiwi.cli.{module}" in loaded
    unused = {f"kiwi.cli.{row.partition(':')[0]}" for row in kiwi.cli.COMMANDS.values()} - {f"kiwi.cli.{module}"}
    assert len(unused) > 8
    assert not unused & loaded
    assert not {"numpy", "yaml"} & loaded


def test_the_list_of_commands_reads_no_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    import typer.main
    from typer.testing import CliRunner

    made: list[str] = []
    make = typer.main.get_command
    monkeypatch.setattr(typer.main, "get_command", lambda app: made.append("") or make(app))
    listed = CliRunner().invoke(kiwi.cli.app, ["-h"]).stdout
    assert [name for name in kiwi.cli.COMMANDS if f"\n  {name} " not in listed] == []
    assert len(made) <= 1  # that of the group
