"""The command that makes a corpus for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import QuietOption, VerboseOption, check_choice, parse_columns

TOKENIZERS = ("auto", "none", "moses", "zh", "ja")


def _complete_join(incomplete: str) -> list[str]:
    """Return the second word of the command ``corpus join``; the shell completes paths by itself."""
    return ["join"] if "join".startswith(incomplete) else []


def corpus(
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="Directory to write; must be new or empty.",
            show_default=False,
            autocompletion=_complete_join,
        ),
    ],
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="File of translators with machine translations and post-edits (XLIFF, sdlxliff, mqxliff, mxliff, "
            "TMX, PO), or a table with one segment per row (CSV, TSV, XLSX, JSON Lines, JSON, Parquet).",
            show_default=False,
        ),
    ] = None,
    source: Annotated[Path | None, typer.Option("-s", "--source", help="Source segments, one per line.")] = None,
    target: Annotated[
        Path | None,
        typer.Option("-t", "--target", help="Machine translations, one per line or, with FILE, per unit."),
    ] = None,
    post_edit: Annotated[
        Path | None, typer.Option("-p", "--post-edit", help="The post-edited translations, one per line.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="Column names by field, such as source=src,target=mt,post_edit=pe.", metavar="FIELD=NAME[,...]"
        ),
    ] = None,
    header: Annotated[bool, typer.Option("--header/--no-header", help="The first row names the columns.")] = True,
    languages: Annotated[
        str | None,
        typer.Option(help="Languages of the units to read, where FILE has several.", metavar="SOURCE,TARGET"),
    ] = None,
    mt_origin: Annotated[
        str | None,
        typer.Option(
            help="Part of the name of the origin or tool whose candidates in FILE are the machine translations.",
            show_default="names such as mt, machine, DeepL",
        ),
    ] = None,
    source_language: Annotated[
        str | None, typer.Option(help="Language of the source, such as en.", show_default="that of FILE")
    ] = None,
    target_language: Annotated[
        str | None, typer.Option(help="Language of the translations, such as de.", show_default="that of FILE")
    ] = None,
    tokenizer: Annotated[
        str,
        typer.Option(
            help="How text is split into words; two names, separated by a comma, are those of source and target.",
            metavar="auto|none|moses|zh|ja",
        ),
    ] = "auto",
    alignments: Annotated[
        Path | None,
        typer.Option("-a", "--alignments", help="Alignments of source and translation, i-j pairs.", show_default=False),
    ] = None,
    post_edit_alignments: Annotated[
        Path | None, typer.Option(help="Alignments of source and post-edit, i-j pairs.", show_default=False)
    ] = None,
    align: Annotated[bool, typer.Option("--align/--no-align", help="Align the words that no file aligns.")] = True,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder directory that aligns words.", show_default="multilingual-e5-small")
    ] = None,
    tags: Annotated[
        str, typer.Option(help="Target tags with or without those of gaps.", metavar="interleaved|target")
    ] = "interleaved",
    source_tags: Annotated[
        str,
        typer.Option(
            help="Source words that are BAD: those of words that were replaced or are missing, or are missing only.",
            metavar="normal|missing-only|none",
        ),
    ] = "normal",
    references: Annotated[
        bool | None,
        typer.Option(
            "--references/--no-references",
            help="The post-edits are independent references; the report says so.",
            show_default="for TMX and PO with --target",
        ),
    ] = None,
    empty_is_unedited: Annotated[
        bool, typer.Option("--empty-is-unedited", help="An empty post-edit means that the translation was accepted.")
    ] = False,
    dev: Annotated[
        float | None,
        typer.Option(help="Segments of the part dev, or a share below 1.", show_default="1000, at most a tenth"),
    ] = None,
    test: Annotated[
        float | None,
        typer.Option(help="Segments of the part test, or a share below 1.", show_default="1000, at most a tenth"),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Column (file, id or user), or file, of documents that stay together.", show_default=False),
    ] = None,
    keep_order: Annotated[
        bool, typer.Option("--keep-order", help="Take the last segments as test and dev, instead of random ones.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the split, 0 or more.")] = 1,
    scores: Annotated[
        str | None, typer.Option(help="Column, or file, of scores to write beside the texts.", show_default=False)
    ] = None,
    ids: Annotated[
        str | None, typer.Option(help="Column, or file, of names to write beside the texts.", show_default=False)
    ] = None,
    annotator: Annotated[
        str | None, typer.Option(help="Column, or file, of the post-editors, for the report.", show_default=False)
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="Rules to switch off: empty, copied, script, unrelated, duplicate, unconfirmed, translate-no.",
            metavar="RULE[,...]",
        ),
    ] = None,
    max_hter: Annotated[
        float, typer.Option(min=0.0, help="HTER above which a post-edit of very different length is left out.")
    ] = 0.9,
    max_length_ratio: Annotated[
        float, typer.Option(min=1.0, help="Ratio of lengths above which such a post-edit is left out.")
    ] = 2.0,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Number of processes.", show_default="one per core")
    ] = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a corpus for training from source, translation and post-edit.

    Writes OK/BAD tags, HTER and word alignments for the parts train, dev and test, a report, and a training
    configuration.

    Examples: kiwi corpus OUT -s source.txt -t mt.txt -p post-edits.txt --source-language en --target-language de;
    kiwi corpus OUT project.xlf
    """
    from kiwi.exceptions import ConfigError
    from kiwi.lib.console.tables import print_table
    from kiwi.lib.corpus import CorpusOptions, make_corpus
    from kiwi.lib.corpus.cleaning import Bounds
    from kiwi.lib.corpus.options import Input
    from kiwi.lib.corpus.pipeline import HEADER
    from kiwi.lib.utils import configure_logging
    from kiwi.utils.written import user_path

    configure_logging(verbose=verbose, quiet=quiet)
    files = {"source": source, "target": target, "post_edit": post_edit}
    files |= {"alignments": alignments, "post_edit_alignments": post_edit_alignments}
    named = {"scores": scores, "ids": ids, "group": group, "annotator": annotator}
    by_column = parse_columns(columns or [])
    if table is None:
        files |= {name: user_path(Path(value)) for name, value in named.items() if value is not None}
    else:
        by_column |= {name: value for name, value in named.items() if value is not None}
    names = tokenizer.split(",")
    for name in names:
        check_choice("--tokenizer", name, TOKENIZERS)
    if len(names) > 2:
        raise ConfigError(f"--tokenizer: found {len(names)} names; expected one, or those of source and target.")
    info = make_corpus(
        output,
        Input(
            files={name: path for name, path in files.items() if path is not None},
            table=table,
            columns=by_column,
            has_header=header,
            languages=languages.split(",") if languages else (),
            machine=mt_origin,
        ),
        CorpusOptions(
            source_language=source_language,
            target_language=target_language,
            tokenizer=(names[0], names[-1]),
            tag_form=check_choice("--tags", tags, ("interleaved", "target")),
            source_tags=check_choice("--source-tags", source_tags, ("normal", "missing-only", "none")),
            references=references,
            empty_is_unedited=empty_is_unedited,
            dev=dev,
            test=test,
            keep_order=keep_order,
            seed=seed,
            keep=frozenset(rule for value in keep or [] for rule in value.split(",")),
            bounds=Bounds(max_hter, max_length_ratio),
            align=align,
            encoder=encoder,
            processes=processes,
        ),
    )
    if not quiet:
        print_table(str(info.path), HEADER, info.rows())
    typer.echo(info.path)


def join(
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="Directory to write; must be new or empty.", show_default=False)
    ],
    directories: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR...", help="Directories that kiwi corpus wrote.", show_default=False),
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(
            help="A further directory and its language pair, which takes the place of the one that it knows.",
            metavar="PAIR=DIR",
        ),
    ] = None,
    common_only: Annotated[
        bool, typer.Option("--common-only", help="Leave out kinds of files that not all directories have.")
    ] = False,
    keep_leaks: Annotated[
        bool,
        typer.Option(
            "--keep-leaks", help="Keep training segments whose source or translation is in dev or test of another one."
        ),
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Join corpora of several language pairs, with the pair of each segment.

    Training, prediction and evaluation then give figures for each pair.

    Example: kiwi corpus join all-pairs en-de-corpus et-en-corpus
    """
    from kiwi.exceptions import ConfigError
    from kiwi.lib.console.tables import print_table
    from kiwi.lib.corpus.joining import HEADER, join_corpora
    from kiwi.lib.utils import configure_logging
    from kiwi.utils.written import user_path

    configure_logging(verbose=verbose, quiet=quiet)
    corpora: list[tuple[Path, str | None]] = [(directory, None) for directory in directories or []]
    for value in pair or []:
        name, equals, place = value.partition("=")
        if not (name and equals and place):
            raise ConfigError(f"--pair: found '{value}'; expected a pair and its directory, such as en-de=DIR.")
        corpora.append((user_path(Path(place)), name))
    if not corpora:
        raise ConfigError("kiwi corpus join: found no directory to join; give some, or --pair en-de=DIR.")
    info = join_corpora(output, corpora, common_only=common_only, keep_leaks=keep_leaks)
    if not quiet:
        print_table(str(info.path), HEADER, info.rows())
    typer.echo(info.path)
