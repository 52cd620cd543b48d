"""The command line, which turns arguments into a dictionary of options and calls a function of :mod:`kiwi.lib`.

No heavy library is imported before a pipeline runs.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from kiwi import __version__
from kiwi.cli import (
    aligning,
    calibrating,
    comparing,
    corpus,
    corrupting,
    pipelines,
    publishing,
    routing,
    scoring,
    serving,
    systems,
    trimming,
)
from kiwi.cli.options import QuietOption, VerboseOption

COMMANDS: dict[str, Callable[..., None]] = {
    "corpus": corpus.corpus,
    corpus.JOIN: corpus.join,
    corrupting.CORRUPT: corrupting.corrupt,
    "train": pipelines.train,
    "pretrain": pipelines.pretrain,
    "predict": pipelines.predict,
    "score": scoring.score,
    "serve": serving.serve,
    "compare": comparing.compare,
    "align": aligning.align,
    "evaluate": pipelines.evaluate,
    routing.FIT: routing.fit,
    routing.REPORT: routing.report,
    routing.UPDATE: routing.update,
    "search": pipelines.search,
    "inspect": systems.inspect_,
    "models": systems.models,
    "thresholds": systems.thresholds,
    "calibrate": calibrating.calibrate,
    "trim": trimming.trim,
    "export": systems.export,
    "publish": publishing.publish,
    "encoder": systems.encoder,
    "vectors": systems.vectors,
}
"""The commands by name, in the order in which the help lists them."""

SWITCHES = {"verbose": False, "quiet": False}
"""The switches that precede the name of the command."""

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Group(typer.core.TyperGroup):
    """The commands, some of which have names of two words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command, its name, and the rest of the arguments."""
        if (name := " ".join(args[:2])) in self.commands:
            return super().resolve_command(ctx, [name, *args[2:]])
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return the names of commands and options for a shell, which completes them word by word."""
        return [item for item in super().shell_complete(ctx, incomplete) if " " not in item.value]


app = typer.Typer(
    name="kiwi",
    cls=_Group,
    help="Estimate the quality of machine translations: how good is a translation, and which words are wrong?",
    no_args_is_help=True,
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
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    SWITCHES.update(verbose=verbose, quiet=quiet)


class _Command(typer.core.TyperCommand):
    """A command whose help shows arguments by their names, without ``<list[str]>`` behind them."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without the types of those that have a name of their own."""
        params: list[Any] = super().get_params(ctx)
        for param in params:
            if param.param_type_name == "argument" and param.metavar is not None:
                param.display_type_rich = lambda ctx: None
        return params


def _prepare(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose paths have ``~`` expanded, and whose switches may precede its name (``kiwi -q train``)."""

    @functools.wraps(command)
    def prepared(**given: Any) -> None:
        from kiwi.utils.written import user_path

        for name, value in given.items():
            if isinstance(value, Path):
                given[name] = user_path(value)
            elif isinstance(value, list):
                given[name] = [user_path(each) if isinstance(each, Path) else each for each in value]
            elif name in SWITCHES:
                given[name] = value or SWITCHES[name]
        command(**given)

    return prepared


for name, command in COMMANDS.items():
    app.command(name, cls=_Command, context_settings=CONTEXT)(_prepare(command))


def main() -> None:
    """Run the command line and exit with its exit code."""
    sys.exit(run(app))


def run(application: Callable[..., Any]) -> int:
    """Run an application, print its error, if any, and return the exit code.

    The exit code is 0 for success, 2 for an invalid configuration, 3 for invalid data, 4 for an unusable checkpoint
    and 1 for other errors.
    """
    from kiwi.exceptions import KiwiError
    from kiwi.utils.display import shown

    try:
        application()
    except (KiwiError, OSError) as error:
        if {"-v", "--verbose"}.intersection(sys.argv):
            traceback.print_exc()
        print(f"Error: {shown(str(error))}", file=sys.stderr)
        return error.exit_code if isinstance(error, KiwiError) else 1
    return 0
