"""Arguments and options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

ConfigArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONFIG] [KEY=VALUE]...",
        help="Configuration file (YAML or JSON), followed by overrides such as trainer.epochs=5.",
        show_default=False,
    ),
]
ExampleOption = Annotated[bool, typer.Option("--example", help="Use the bundled example configuration as CONFIG.")]
PrintConfigOption = Annotated[
    bool,
    typer.Option(
        "--print-config", help="Print the configuration as YAML, composed and with the overrides applied, and exit."
    ),
]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Show debug messages and tracebacks of errors.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that kiwi has not written; files that are read never are.")
]
OverwriteDirectoryOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace DIRECTORY if it is a checkpoint or an export, without other files.")
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Show only warnings, errors and results.")]

CheckpointArgument = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="Checkpoint directory or run directory.", show_default=False)
]
NewDirectoryArgument = Annotated[
    Path, typer.Argument(metavar="DIRECTORY", help="Directory to write; must be new or empty.", show_default=False)
]
AlignmentsOption = Annotated[
    Path | None,
    typer.Option("-a", "--alignments", help="Word alignments, one line of i-j pairs per segment.", show_default=False),
]
AlignOption = Annotated[
    bool,
    typer.Option(
        "--align/--no-align", help="Align words automatically if the system reads alignments and none are given."
    ),
]
AlignerOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIRECTORY",
        help="What aligns words: a directory written with kiwi align --export, or an encoder.",
        show_default="multilingual-e5-small, from the packages of the extra encoder",
    ),
]
SourcePosOption = Annotated[
    Path | None, typer.Option(help="Part-of-speech tags of the source words.", show_default=False)
]
TargetPosOption = Annotated[
    Path | None, typer.Option(help="Part-of-speech tags of the target words.", show_default=False)
]

TableArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="TABLE",
        help="TSV, CSV, JSON Lines or Parquet file with one segment per row.",
        show_default="standard input",
    ),
]
FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="Table with one segment per row (TSV, CSV, XLSX, JSON Lines, Parquet); or XLIFF, TMX, PO.",
        show_default="standard input",
    ),
]
SourceOption = Annotated[
    Path | None, typer.Option("-s", "--source", help="Source segments, one per line.", show_default=False)
]
TargetOption = Annotated[
    Path | None, typer.Option("-t", "--target", help="Their translations, one per line.", show_default=False)
]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option(help="Column names by field, such as source=src,target=mt.", metavar="FIELD=NAME[,...]"),
]
InputFormatOption = Annotated[
    str,
    typer.Option(
        help="Format of standard input: tsv (source and target, separated by a tab) or jsonl.", metavar="tsv|jsonl"
    ),
]
StreamOption = Annotated[
    bool, typer.Option("--stream", help="Write the result of each line before reading the next line.")
]
GpuOption = Annotated[int | None, typer.Option(help="Index of the GPU to use.", show_default="none, use the CPU")]
ThreadsOption = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="Number of CPU threads.", show_default="OMP_NUM_THREADS, or all cores"),
]

ModelOption = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        help="Directory of a trained or exported system, installed model, or name on the Hugging Face hub.",
        show_default="the installed model",
    ),
]
ScaleOption = Annotated[
    str | None,
    typer.Option(
        help="Scale of the scores: the system's own, or 0-100, where higher is better.",
        metavar="own|0-100",
        show_default="own",
    ),
]
HigherIsBetterOption = Annotated[
    bool | None,
    typer.Option(
        "--higher-is-better/--lower-is-better",
        help="Which scores are good: high (such as DA) or low (such as HTER) ones.",
        show_default="what the system remembers of its scores",
    ),
]
BatchTokensOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Maximum number of tokens per batch, padding included.", show_default="depends on the engine"
    ),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        help="Floating-point precision: 32, bf16, (on a GPU only) 16, or auto, the fastest that is native.",
        metavar="32|bf16|16|auto",
    ),
]


def read_options(
    pipeline: str,
    arguments: list[str] | None,
    example: bool,
    verbose: bool,
    quiet: bool,
    print_config: bool = False,
    load: Callable[[Path, list[str]], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Read the configuration file of a pipeline and apply the overrides and switches of the command line.

    Args:
        pipeline: the name of the pipeline.
        arguments: the configuration file, if any, followed by the overrides.
        example: whether to use the bundled example configuration.
        verbose: whether ``--verbose`` was given.
        quiet: whether ``--quiet`` was given.
        print_config: whether ``--print-config`` was given, which ends the command.
        load: the function that reads the file and applies the overrides; by default,
            :func:`kiwi.lib.utils.load_configuration`.
    """
    from kiwi.exceptions import ConfigError
    from kiwi.lib.utils import configure_logging, example_configuration, load_configuration
    from kiwi.utils.structured.writing import to_configuration

    configure_logging(verbose=verbose, quiet=quiet)
    arguments = list(arguments or [])
    if example:
        path = example_configuration(pipeline)
    elif arguments and ("=" not in arguments[0] or _is_file(arguments[0])):
        path = Path(arguments.pop(0))
    else:
        raise ConfigError(f"kiwi {pipeline}: found no configuration file; give one, or --example.")
    options = (load or load_configuration)(path, arguments)
    options |= {name: True for name, on in (("verbose", verbose), ("quiet", quiet)) if on}
    if print_config:
        typer.echo(to_configuration(options), nl=False)
        raise typer.Exit
    return options


def _is_file(name: str) -> bool:
    try:
        return Path(name).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # a name that is too long, or with NUL, or of an unknown user
        return False


def parse_columns(arguments: list[str]) -> dict[str, str]:
    """Parse the values of ``--columns`` into a mapping of fields to column names."""
    from kiwi.exceptions import ConfigError

    columns: dict[str, str] = {}
    for field, name in _parse_pairs(arguments):
        if field in columns:
            raise ConfigError(f"--columns: found {field}={columns[field]} and {field}={name}. Name one of them.")
        columns[field] = name
    return columns


def parse_target_columns(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Parse the values of ``--columns``, in which ``target`` may have several columns.

    Returns:
        The columns of the other fields, and those of ``target``.
    """
    pairs = _parse_pairs(arguments)
    others = [f"{field}={name}" for field, name in pairs if field != "target"]
    return parse_columns(others), [name for field, name in pairs if field == "target"]


def _parse_pairs(arguments: list[str]) -> list[tuple[str, str]]:
    from kiwi.exceptions import ConfigError

    pairs = [pair.partition("=") for argument in arguments for pair in argument.split(",")]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise ConfigError(f"--columns: found '{name}{equals}{value}'; expected field=name, such as source=src.")
    return [(name, value) for name, _, value in pairs]


def from_standard_input(files: dict[str, Path]) -> dict[str, Path]:
    """Return files by field, with standard input for ``-``.

    Raises:
        ConfigError: when it would be read for several fields.
    """
    from kiwi.exceptions import ConfigError

    dashes = [f"--{name.replace('_', '-')}" for name, path in files.items() if str(path) == "-"]
    if len(dashes) > 1:
        raise ConfigError(f"{' and '.join(dashes)}: found - for both; standard input can be read for one of them only.")
    return {name: Path("/dev/stdin") if str(path) == "-" else path for name, path in files.items()}


def open_standard_output() -> TextIO:
    """Return standard output.

    Raises:
        WriteError: when it is closed, as with ``>&-`` in a shell.
    """
    import errno
    import sys

    from kiwi.exceptions import WriteError

    if sys.stdout is None:
        raise WriteError("Standard output is closed. Redirect it to a file or a pipe.", errno.EBADF)
    return sys.stdout


def exit_if_bad(n_bad: int) -> None:
    """End with the exit code for invalid data when segments were bad, after all results are written.

    Args:
        n_bad: the number of bad segments, which a warning has described.
    """
    from kiwi.exceptions import DataError

    if n_bad:
        raise typer.Exit(DataError.exit_code)


def check_choice(option: str, value: str, choices: tuple[str, ...]) -> Any:
    """Return the value of an option, or reject it when it is not one of the choices."""
    from kiwi.exceptions import ConfigError

    if value not in choices:
        raise ConfigError(f"{option}: found '{value}'; expected {' or '.join(choices)}.")
    return value


def set_up_log(*, verbose: bool, quiet: bool) -> None:
    """Log warnings only, or everything with ``verbose``, because these commands write results to standard output."""
    from kiwi.lib.utils import configure_logging

    configure_logging(verbose=verbose, quiet=quiet or not verbose)
