"""The command that cuts the vocabulary of a system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import NewDirectoryArgument, OverwriteDirectoryOption, QuietOption, VerboseOption, set_up_log


def trim(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Checkpoint directory, run directory, or name on the Hugging Face hub.",
            show_default=False,
        ),
    ],
    directory: NewDirectoryArgument,
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT...",
            help="Text in all languages that the system is for, source and target alike, one segment per line.",
            show_default=False,
        ),
    ],
    vocabulary: Annotated[int, typer.Option(min=1, help="Number of pieces to keep.", show_default=False)],
    overwrite: OverwriteDirectoryOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Cut the vocabulary of a pretrained encoder to the pieces that some text needs, with their embeddings.

    Writes a new checkpoint, which is smaller and loads faster, and can be trained further and exported. All single
    characters are kept, so that any script is still read.
    """
    from kiwi.utils.display import printable
    from kiwi.utils.imports import needs_extra

    set_up_log(verbose=verbose, quiet=quiet)
    with needs_extra("train", "kiwi trim"):
        from kiwi.lib.pretrained.trim import trim as write

        trimmed = write(checkpoint, directory, texts, vocabulary, overwrite=overwrite)
    typer.echo(
        f"{printable(str(trimmed.path))}: {trimmed.n_pieces:,} of {trimmed.n_before:,} pieces; "
        f"{trimmed.n_changed:,} of {trimmed.n_segments:,} segments have other pieces than before"
    )
