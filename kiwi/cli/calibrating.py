"""The command that calibrates a trained system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    AlignmentsOption,
    OverwriteDirectoryOption,
    QuietOption,
    SourcePosOption,
    TargetPosOption,
    ThreadsOption,
    VerboseOption,
    set_up_log,
)


def calibrate(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Checkpoint directory, run directory, exported system, or name of an installed model.",
            show_default=False,
        ),
    ],
    source: Annotated[Path, typer.Option("-s", "--source", help="Source segments, one per line.", show_default=False)],
    target: Annotated[
        Path, typer.Option("-t", "--target", help="Their translations, one per line.", show_default=False)
    ],
    gold: Annotated[
        Path | None,
        typer.Option("-g", "--gold", help="Gold scores, one per line; they make intervals.", show_default=False),
    ] = None,
    lp: Annotated[
        Path | None,
        typer.Option(
            help="Language pairs of the segments, one per line, for intervals and thresholds.", show_default=False
        ),
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(help="Share of scores that lie within their intervals.", show_default="0.9")
    ] = None,
    target_tags: Annotated[
        Path | None,
        typer.Option(
            help="OK/BAD tags of the target words, with or without gap tags; they make temperatures.",
            show_default=False,
        ),
    ] = None,
    source_tags: Annotated[
        Path | None, typer.Option(help="OK/BAD tags of the source words.", show_default=False)
    ] = None,
    binary: Annotated[
        Path | None, typer.Option(help="Verdicts on the segments, OK or BAD, one per line.", show_default=False)
    ] = None,
    error_spans: Annotated[
        Path | None, typer.Option(help="Error spans of the translations.", show_default=False)
    ] = None,
    alignments: AlignmentsOption = None,
    source_pos: SourcePosOption = None,
    target_pos: TargetPosOption = None,
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIRECTORY]",
            help="Directory of a calibrated copy; must be new or empty. Without it, CHECKPOINT is replaced.",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteDirectoryOption = False,
    threads: ThreadsOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Store in a system how far its scores are off, and make its probabilities right, on validation data.

    Gold scores make intervals that cover a given share of scores; labels make temperatures of probabilities.
    """
    from kiwi.exceptions import ConfigError
    from kiwi.lib.console.tables import print_table
    from kiwi.lib.score.calibration import calibrate as store
    from kiwi.lib.score.calibration.data import CalibrationFiles
    from kiwi.utils.display import printable

    set_up_log(verbose=verbose, quiet=quiet)
    if confidence is not None and gold is None:
        raise ConfigError("--confidence: given without --gold; it is that of intervals. Remove it, or add --gold.")
    texts = {"source": source, "target": target, "lp": lp, "alignments": alignments}
    texts |= {"source_pos": source_pos, "target_pos": target_pos}
    labels = {"sentence_scores": gold, "target_tags": target_tags, "source_tags": source_tags, "binary": binary}
    labels |= {"error_spans": error_spans}
    given = [{name: path for name, path in files.items() if path is not None} for files in (texts, labels)]
    found = store(
        checkpoint,
        CalibrationFiles(*given),
        directory=directory,
        **({} if confidence is None else {"confidence": confidence}),
        threads=threads,
        overwrite=overwrite,
    )
    if not quiet:
        for title, header, rows in found.tables():
            print_table(title, header, rows)
    typer.echo(printable(str(found.path)))
