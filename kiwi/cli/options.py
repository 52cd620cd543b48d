"""Arguments that several commands have, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

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


def configured(
    pipeline: str,
    arguments: list[str] | None,
    example: bool,
    verbose: bool,
    quiet: bool,
    load: Callable[[Path, list[str]], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Options of a pipeline: those of its file, the overrides, and what the command line says.

    Args:
        pipeline: its name.
        arguments: a file, then overrides.
        example: whether the bundled example is the file.
        verbose: as given.
        quiet: as given.
        load: reads the file; unset, as most pipelines do.
    """
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


def pairs_of(arguments: list[str]) -> dict[str, str]:
    """Fields and the names of their columns."""
    from kiwi.exceptions import ConfigError

    pairs = [pair.partition("=") for argument in arguments for pair in argument.split(",")]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise ConfigError(f"--columns: found '{name}{equals}{value}'; expected field=name, such as source=src.")
    return {name: value for name, _, value in pairs}


def one_of(option: str, value: str, known: tuple[str, ...]) -> Any:
    """A value that an option takes; others are refused."""
    from kiwi.exceptions import ConfigError

    if value not in known:
        raise ConfigError(f"{option}: found '{value}'; expected {' or '.join(known)}.")
    return value


def show_log(*, verbose: bool, quiet: bool) -> None:
    """Show warnings, or with ``verbose`` everything: what these commands say goes to standard output."""
    from kiwi.lib.utils import configure_logging

    configure_logging(verbose=verbose, quiet=quiet or not verbose)
