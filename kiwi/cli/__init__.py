"""The command line: arguments to a dictionary, then to a function of :mod:`kiwi.lib`.

Nothing heavy is imported before a pipeline runs.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from kiwi import __version__
from kiwi.cli import pipelines, scoring, systems

COMMANDS: dict[str, Callable[..., None]] = {
    "train": pipelines.train,
    "pretrain": pipelines.pretrain,
    "predict": pipelines.predict,
    "score": scoring.score,
    "evaluate": pipelines.evaluate,
    "search": pipelines.search,
    "inspect": systems.inspect_,
    "thresholds": systems.thresholds,
    "export": systems.export,
    "publish": systems.publish,
    "encoder": systems.encoder,
    "vectors": systems.vectors,
}
"""In the order in which help lists them."""

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


for name, command in COMMANDS.items():
    app.command(name, context_settings=CONTEXT)(command)


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
