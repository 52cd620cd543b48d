"""The command line, which turns arguments into a dictionary of options and calls a function of :mod:`kiwi.lib`.

No heavy library is imported before a pipeline runs.
"""

from __future__ import annotations

import functools
import inspect
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kiwi import __version__
from kiwi.cli.options import QuietOption, VerboseOption

COMMANDS = {
    "corpus": "corpus:corpus",
    "corpus join": "corpus:join",
    "corpus corrupt": "corrupting:corrupt",
    "train": "pipelines:train",
    "pretrain": "pipelines:pretrain",
    "predict": "pipelines:predict",
    "score": "scoring:score",
    "serve": "serving:serve",
    "compare": "comparing:compare",
    "align": "aligning:align",
    "evaluate": "pipelines:evaluate",
    "route fit": "routing:fit",
    "route report": "routing:report",
    "route update": "routing:update",
    "search": "pipelines:search",
    "inspect": "systems:inspect_",
    "models": "systems:models",
    "thresholds": "systems:thresholds",
    "calibrate": "calibrating:calibrate",
    "trim": "trimming:trim",
    "export": "systems:export",
    "publish": "publishing:publish",
    "encoder": "systems:encoder",
    "vectors": "systems:vectors",
}
"""The module and the function of each command, in the order in which the help lists them."""

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # or pydantic searches all installed packages for them

SWITCHES = {"verbose": False, "quiet": False}
"""The switches that precede the name of the command."""

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Command(typer.core.TyperCommand):
    """A command whose parameters are made when they are used, since their types take long to read.

    Its help shows arguments by their names, without ``<list[str]>`` behind them.
    """

    def __init__(self, name: str, function: Callable[..., None]) -> None:
        super().__init__(name, help=inspect.getdoc(function), context_settings=CONTEXT, rich_markup_mode=None)
        self._function = function

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without the types of those that have a name of their own."""
        if self.callback is None:
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command()(_prepare(self._function))
            made = typer.main.get_command(single)
            self.callback, self.params = made.callback, made.params
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


class _Commands(Mapping[str, _Command]):
    """The commands by name, each of which is imported when it is first used."""

    def __init__(self) -> None:
        self._imported: dict[str, _Command] = {}

    def __getitem__(self, name: str) -> _Command:
        if name not in self._imported:
            self._imported[name] = _Command(name, pkgutil.resolve_name(f"kiwi.cli.{COMMANDS[name]}"))
        return self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Group(typer.core.TyperGroup):
    """The commands, some of which have names of two words."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Commands()  # type: ignore[assignment]

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)

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


def main() -> None:
    """Run the command line and exit with its exit code."""
    from kiwi.utils.process.collector import postpone_collection
    from kiwi.utils.process.output import name_errors_of_output

    postpone_collection()
    name_errors_of_output()
    sys.exit(run(app))


def run(application: Callable[..., Any]) -> int:
    """Run an application, print its error, if any, and return the exit code.

    The exit code is 0 for success, 2 for an invalid configuration, 3 for invalid data, 4 for an unusable checkpoint
    and 1 for other errors.
    """
    from kiwi.exceptions import KiwiError
    from kiwi.utils.display import shown

    try:
        _run_and_flush(application)
    except (KiwiError, OSError) as error:
        if {"-v", "--verbose"}.intersection(sys.argv):
            traceback.print_exc()
        print(f"Error: {shown(str(error))}", file=sys.stderr)
        return error.exit_code if isinstance(error, KiwiError) else 1
    return 0


def _run_and_flush(application: Callable[..., Any]) -> None:
    """Run an application, which may exit, and write what is left in the buffer of standard output."""
    try:
        application()
    except SystemExit:
        _flush()
        raise
    _flush()


def _flush() -> None:
    from kiwi.utils.process.output import flush_after_command

    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        flush_after_command()
    except BrokenPipeError:
        sys.exit(1)  # as Click does where it writes
