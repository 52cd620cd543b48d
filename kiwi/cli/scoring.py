"""The command that scores a few files or a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    AlignmentsOption,
    QuietOption,
    SourcePosOption,
    TargetPosOption,
    VerboseOption,
    check_choice,
    parse_columns,
    set_up_log,
)


def score(
    model: Annotated[
        str,
        typer.Option(
            "-m",
            "--model",
            help="Checkpoint directory, run directory, exported system, or name on the Hugging Face hub.",
            show_default=False,
        ),
    ],
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="TABLE",
            help="TSV, JSON Lines or Parquet file with one segment per row.",
            show_default="standard input",
        ),
    ] = None,
    source: Annotated[Path | None, typer.Option("-s", "--source", help="Source segments, one per line.")] = None,
    target: Annotated[Path | None, typer.Option("-t", "--target", help="Their translations, one per line.")] = None,
    alignments: AlignmentsOption = None,
    source_pos: SourcePosOption = None,
    target_pos: TargetPosOption = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(help="Column names by field, such as source=src,target=mt.", metavar="FIELD=NAME[,...]"),
    ] = None,
    input_format: Annotated[
        str,
        typer.Option(
            help="Format of standard input: tsv (source and target, separated by a tab) or jsonl.", metavar="tsv|jsonl"
        ),
    ] = "tsv",
    output_format: Annotated[
        str, typer.Option("-f", "--format", help="Format of standard output.", metavar="tsv|jsonl")
    ] = "tsv",
    scores_only: Annotated[
        bool, typer.Option("--scores-only", help="Write sentence scores only, without word-level predictions.")
    ] = False,
    no_header: Annotated[bool, typer.Option("--no-header", help="Write TSV without a header line.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Write the result of each line before reading the next line.")
    ] = False,
    gpu_id: Annotated[
        int | None, typer.Option(help="Index of the GPU to use.", show_default="none, use the CPU")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Number of CPU threads.", show_default="OMP_NUM_THREADS, or all cores")
    ] = None,
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            help="Maximum number of tokens per batch, padding included.", show_default="depends on the engine"
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            help="Floating-point precision: 32, bf16, (on a GPU only) 16, or auto, the fastest that is native.",
            metavar="32|bf16|16|auto",
        ),
    ] = "32",
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score segments and write one line for each to standard output.

    Example: kiwi score -m MODEL -s source.txt -t target.txt
    """
    import signal

    from kiwi.lib.score import Input, score as write_scores
    from kiwi.runner.options import PredictOptions

    if hasattr(signal, "SIGPIPE"):
        signal.signal(
            signal.SIGPIPE, signal.SIG_DFL
        )  # end silently, as other tools do, when the reader closes the pipe
    set_up_log(verbose=verbose, quiet=quiet)
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
            columns=parse_columns(columns or []),
            pipe=sys.stdin.buffer,
            pipe_form=check_choice("--input-format", input_format, ("tsv", "jsonl")),
        ),
        sys.stdout,
        form=check_choice("--format", output_format, ("tsv", "jsonl")),
        scores_only=scores_only,
        header=not no_header,
        stream=stream,
        options=PredictOptions(
            gpu_id=gpu_id,
            threads=threads,
            batch_tokens=batch_tokens,
            precision=check_choice("--precision", precision, ("32", "bf16", "16", "auto")),
        ),
    )
