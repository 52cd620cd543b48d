"""Commands that run a pipeline from a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    ConfigArgument,
    ExampleOption,
    OverwriteOption,
    PrintConfigOption,
    QuietOption,
    VerboseOption,
    exit_if_bad,
    read_options,
)


def train(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    print_config: PrintConfigOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a quality estimation system."""
    from kiwi.utils.imports import needs_extra

    options = read_options("train", config, example, verbose, quiet, print_config)
    with needs_extra("train", "kiwi train"):
        from kiwi.lib.train import train_from_configuration

        info = train_from_configuration(options)
    from kiwi.lib.console.tables import print_run

    print_run(info, quiet=bool(options.get("quiet")))


def pretrain(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    print_config: PrintConfigOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Pretrain the language model of a PredictorEstimator."""
    from kiwi.utils.imports import needs_extra

    options = read_options("pretrain", config, example, verbose, quiet, print_config)
    with needs_extra("train", "kiwi pretrain"):
        from kiwi.lib.pretrain import pretrain_from_configuration

        info = pretrain_from_configuration(options)
    from kiwi.lib.console.tables import print_run

    print_run(info, quiet=bool(options.get("quiet")))


def predict(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    print_config: PrintConfigOption = False,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="local|ray",
            help="local predicts in this process; ray distributes shards over processes and machines.",
            show_default="local",
        ),
    ] = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict with a trained system and write the predictions to files."""
    from kiwi.lib.bulk.config import is_bulk
    from kiwi.utils.imports import needs_extra

    options = read_options("predict", config, example, verbose, quiet, print_config)
    if engine is not None:
        options["engine"] = engine
    if is_bulk(options):
        from kiwi.lib.bulk import bulk_from_configuration

        exit_if_bad(bulk_from_configuration(options).has_rejects)
        return
    with needs_extra("train", "kiwi predict"):
        from kiwi.lib.predict import predict_to_files

        exit_if_bad(predict_to_files(options).n_bad)


def evaluate(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    print_config: PrintConfigOption = False,
    lp: Annotated[
        Path | None,
        typer.Option(help="Language pairs of the segments, one per line, to evaluate each.", show_default=False),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as an HTML page.", show_default=False)] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.", show_default=False)] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write Markdown tables.", show_default=False)] = None,
    latex: Annotated[Path | None, typer.Option(help="Write LaTeX tables.", show_default=False)] = None,
    overwrite: OverwriteOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Evaluate predictions against gold labels."""
    options = read_options("evaluate", config, example, verbose, quiet, print_config)
    files = {"report": report, "figures": json, "markdown": markdown, "latex": latex}
    given = {name: path for name, path in files.items() if path} | ({"overwrite": True} if overwrite else {})
    options["output"] = (options.get("output") or {}) | given
    if lp is not None:
        options["gold_files"] = (options.get("gold_files") or {}) | {"lp": lp}
    from kiwi.lib.console.tables import print_report
    from kiwi.lib.evaluate import evaluate_from_configuration

    print_report(evaluate_from_configuration(options))


def search(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    print_config: PrintConfigOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search for the best hyperparameters of a system."""
    from kiwi.utils.imports import needs_extra

    with needs_extra("train", "kiwi search"):
        from kiwi.lib.search.config import load_search

        options = read_options("search", config, example, verbose, quiet, print_config, load=load_search)
        from kiwi.lib.search import search_from_configuration

        info = search_from_configuration(options)
    from kiwi.lib.console.tables import print_search

    print_search(info, quiet=bool(options.get("quiet")))
