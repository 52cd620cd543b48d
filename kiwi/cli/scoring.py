"""Scores for a few files, or in a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    QuietOption,
    VerboseOption,
    one_of,
    pairs_of,
    show_log,
)


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
    threads: Annotated[
        int | None, typer.Option(help="Of the CPU.", show_default="OMP_NUM_THREADS, or all cores")
    ] = None,
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
    from kiwi.runner.options import PredictOptions

    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end as other tools do when nobody reads on
    show_log(verbose=verbose, quiet=quiet)
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
            columns=pairs_of(columns or []),
            pipe=sys.stdin.buffer,
            pipe_form=one_of("--input-format", input_format, ("tsv", "jsonl")),
        ),
        sys.stdout,
        form=one_of("--format", output_format, ("tsv", "jsonl")),
        scores_only=scores_only,
        header=not no_header,
        stream=stream,
        options=PredictOptions(
            gpu_id=gpu_id,
            threads=threads,
            batch_tokens=batch_tokens,
            precision=one_of("--precision", precision, ("32", "bf16", "16")),
        ),
    )
