"""The command that aligns words."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    ColumnsOption,
    GpuOption,
    InputFormatOption,
    OverwriteOption,
    QuietOption,
    SourceOption,
    StreamOption,
    TableArgument,
    TargetOption,
    ThreadsOption,
    VerboseOption,
    check_choice,
    parse_columns,
    set_up_log,
)

METHODS = ("argmax", "softmax")


def align(
    table: TableArgument = None,
    source: SourceOption = None,
    target: TargetOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write.", show_default="standard output")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder directory, directory written with --export, or name on the Hugging Face hub.",
            show_default="multilingual-e5-small, from the packages of the extra encoder",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="argmax links words that are each other's most similar word; softmax links more.",
            metavar="argmax|softmax",
        ),
    ] = METHODS[0],
    layer: Annotated[
        int | None,
        typer.Option(min=1, help="Layer of the encoder to compare.", show_default="the one in the middle"),
    ] = None,
    columns: ColumnsOption = None,
    input_format: InputFormatOption = "tsv",
    stream: StreamOption = False,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY",
            help="Write the encoder to DIRECTORY for ONNX Runtime, and align nothing.",
            show_default=False,
        ),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="With --export: quantize the weights to 8 bits.")] = False,
    gpu_id: GpuOption = None,
    threads: ThreadsOption = None,
    overwrite: OverwriteOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Align the words of source segments and their translations.

    Writes a line of i-j pairs for each segment, source index first, counted from 0. Words are separated by spaces.

    Example: kiwi align -s source.txt -t target.txt > alignments
    """
    import signal

    from kiwi.exceptions import ConfigError
    from kiwi.lib.align import align as write_alignments, align_to_file, check_input, export_aligner
    from kiwi.lib.score import Input
    from kiwi.runner.word_aligner import load_word_aligner
    from kiwi.utils.display import printable

    set_up_log(verbose=verbose, quiet=quiet)
    chosen = check_choice("--method", method, METHODS)
    pipe_form = check_choice("--input-format", input_format, ("tsv", "jsonl"))
    files = {name: path for name, path in (("source", source), ("target", target)) if path is not None}
    if export is not None:
        for_aligning = {
            "the input": table or files,
            "--output": output,
            "--method": chosen != METHODS[0],
            "--columns": columns,
            "--input-format": pipe_form != "tsv",
            "--stream": stream,
            "--gpu-id": gpu_id is not None,
            "--threads": threads is not None,
            "--overwrite": overwrite,
        }
        if found := [name for name, value in for_aligning.items() if value]:
            raise ConfigError(f"--export writes the encoder and aligns nothing. Remove {', '.join(found)}.")
        typer.echo(printable(str(export_aligner(export, encoder, layer=layer, int8=int8))))
        return
    if int8:
        raise ConfigError("--int8 goes with --export. Export the encoder first, and give its directory as --encoder.")
    if stream and output is not None:
        raise ConfigError("--stream is for standard output; a file appears when it is complete. Remove one of the two.")
    segments = Input(
        files=files,
        table=table,
        columns=parse_columns(columns or []),
        pipe=getattr(sys.stdin, "buffer", None),  # sys.stdin is None when it is closed
        pipe_form=pipe_form,
    )
    check_input(segments)
    aligner = load_word_aligner(encoder, chosen, layer=layer, gpu_id=gpu_id, threads=threads)
    if output is not None:
        align_to_file(aligner, segments, output, overwrite=overwrite, encoder=encoder)
        return
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end silently when the reader closes the pipe
    write_alignments(aligner, segments, sys.stdout, stream=stream, encoder=encoder)
