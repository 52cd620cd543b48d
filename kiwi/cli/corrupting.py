"""The command that puts errors into good translations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import QuietOption, VerboseOption, check_choice, parse_columns


def corrupt(
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="Directory to write; must be new or empty.", show_default=False)
    ],
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="TABLE",
            help="TSV, CSV, JSON Lines or Parquet file with one segment per row.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[Path | None, typer.Option("-s", "--source", help="Source segments, one per line.")] = None,
    target: Annotated[
        Path | None, typer.Option("-t", "--target", help="Good translations, such as post-edits, one per line.")
    ] = None,
    lp: Annotated[Path | None, typer.Option("--lp", help="Language pair of each segment, one per line.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(help="Column names by field, such as source=src,target=pe,lp=lp.", metavar="FIELD=NAME[,...]"),
    ] = None,
    source_language: Annotated[
        str | None, typer.Option(help="Language of the source, such as en.", show_default=False)
    ] = None,
    target_language: Annotated[
        str | None, typer.Option(help="Language of the translations, such as de.", show_default=False)
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(help="Kinds of errors.", metavar="drop|number|untranslated|...[,...]", show_default="all"),
    ] = None,
    clean: Annotated[float, typer.Option(help="Share of translations that are left as they are.")] = 0.25,
    whole: Annotated[
        float, typer.Option(help="Share of the others with an error of the whole translation, such as untranslated.")
    ] = 0.25,
    most: Annotated[int, typer.Option(help="Largest number of errors within a translation.")] = 3,
    copies: Annotated[int, typer.Option(help="Number of times that each translation is corrupted.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the errors.")] = 1,
    part: Annotated[str, typer.Option(help="Part of a corpus that the files are.", metavar="train|dev|test")] = "train",
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put errors into good translations, to train on errors whose places are known.

    Writes the translations with OK/BAD tags, HTER, error spans and their MQM score. Words are dropped, repeated,
    exchanged, replaced, added or left in the source language; numbers, names and negations are changed; whole
    translations are cut off, doubled, untranslated, unrelated, or in another language.

    Example: kiwi corpus corrupt OUT -s source.txt -t post-edits.txt --source-language en --target-language de
    """
    from typing import cast

    from kiwi.lib.console.tables import print_table
    from kiwi.lib.corpus.corruption.kinds import CORRUPTIONS
    from kiwi.lib.corpus.corruption.options import CorruptOptions
    from kiwi.lib.corpus.corruption.pipeline import HEADER, corrupt_corpus
    from kiwi.lib.corpus.options import PARTS, Part
    from kiwi.lib.utils import configure_logging

    configure_logging(verbose=verbose, quiet=quiet)
    files = {"source": source, "target": target, "lp": lp}
    info = corrupt_corpus(
        output,
        CorruptOptions(
            kinds=tuple(kind for value in kinds for kind in value.split(",")) if kinds else tuple(CORRUPTIONS),
            clean=clean,
            whole=whole,
            most=most,
            copies=copies,
            seed=seed,
            part=cast(Part, check_choice("--part", part, PARTS)),
            source_language=source_language,
            target_language=target_language,
        ),
        files={name: path for name, path in files.items() if path is not None},
        table=table,
        columns=parse_columns(columns or []),
    )
    if not quiet:
        print_table(str(info.path), HEADER, info.rows())
    typer.echo(info.path)
