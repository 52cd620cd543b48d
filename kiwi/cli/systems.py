"""Commands for trained systems, and for what they are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    QuietOption,
    VerboseOption,
    show_log,
)


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

    show_log(verbose=verbose, quiet=quiet)
    texts = {"source": source, "target": target, "alignments": alignments}
    texts |= {"source_pos": source_pos, "target_pos": target_pos}
    labels = {"target_tags": target_tags, "source_tags": source_tags}
    with needs_extra("train", "kiwi thresholds"):
        from kiwi.data.datasets.wmt_qe_dataset import TrainingConfig
        from kiwi.lib.console.tables import print_table
        from kiwi.lib.thresholds import choose_thresholds

        data = TrainingConfig.from_dict({"input": texts, "output": labels})
        chosen = choose_thresholds(checkpoint, directory, data)
    rows = [[each.output, f"{each.threshold:.3f}", f"{each.before:.4f}", f"{each.after:.4f}"] for each in chosen]
    print_table(str(directory), ["output", "threshold", "MCC at 0.5", "MCC"], rows)


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
        from kiwi.lib.console.tables import print_table

        print_table(str(found.path), ["", ""], [list(row) for row in found.rows()], align="left")


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
    from kiwi.lib.console.tables import print_table
    from kiwi.lib.export import export as write
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
