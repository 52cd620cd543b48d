"""The options of the command that scores a few files or a pipe, and the form of lines that they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kiwi.cli.options import check_choice

CopyOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="File to write, whole or not at all; a copy of FILE with the scores added.",
        show_default="standard output",
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(help="Score that divides good translations from those to review.", show_default=False),
]
SetStateOption = Annotated[
    bool,
    typer.Option(
        "--set-state", help="Mark translations worse than --threshold, or to review by --policy, in XLIFF and PO."
    ),
]
CopyScaleOption = Annotated[
    str | None,
    typer.Option(
        help="Scale of the scores: the system's own, or 0-100, where higher is better.",
        metavar="own|0-100",
        show_default="own; 0-100 in XLIFF, TMX and PO",
    ),
]
LanguagesOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Languages of source and target, such as --languages en,de: in TMX and PO, and for flags of segments.",
        metavar="SOURCE,TARGET",
        show_default="those of FILE, or of the system",
    ),
]
PipeFormatOption = Annotated[
    str,
    typer.Option(
        help="Format of standard input: tsv (source and target, separated by a tab), jsonl, or csv with a header.",
        metavar="tsv|jsonl|csv",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "-f",
        "--format",
        help="Format of lines with scores alone.",
        metavar="tsv|jsonl",
        show_default="tsv; a table keeps its columns and its format",
    ),
]
OnlyScoresOption = Annotated[
    bool, typer.Option("--only-scores", help="Write lines with scores alone, without the columns of FILE.")
]
WordsOption = Annotated[
    bool,
    typer.Option("--words", help="Show word-level predictions on a terminal too; files and pipes have them."),
]
ScoresOnlyOption = Annotated[
    bool, typer.Option("--scores-only", help="Write sentence scores only, without word-level predictions.")
]
FlagsOption = Annotated[
    bool | None,
    typer.Option(
        "--flags/--no-flags",
        help="Flag segments that must not look good: copied, in another language, with other numbers or tags.",
        show_default="yes, except with --scores-only",
    ),
]
SpansOption = Annotated[
    bool,
    typer.Option("--spans", help="Show the errors in each translation, for people: in colours on a terminal."),
]
HeaderOption = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether TSV and CSV have a line with the names of the columns.",
        show_default="yes, except for TSV from standard input",
    ),
]
BestOfOption = Annotated[
    str | None,
    typer.Option(
        metavar="K|list|COLUMN",
        help="Keep the best of several translations of a source: K lines, rows or columns each, lists in one "
        "column, or rows with the same COLUMN, such as source.",
        show_default=False,
    ),
]
OnBadOption = Annotated[
    str,
    typer.Option(
        help="What to do with a segment that cannot be used, such as one with an empty translation: give it no "
        "score (nan), stop, or leave it out (skip).",
        metavar="nan|stop|skip",
    ),
]
RejectsOption = Annotated[
    Path | None,
    typer.Option(help="Write all bad segments to a file of JSON Lines, with the reasons.", show_default=False),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        help="Policy of kiwi route fit, which adds whether to approve or to review each translation; 'carried' is that "
        "of the model.",
        show_default=False,
    ),
]
AuditOption = Annotated[
    float | None,
    typer.Option(
        help="Share of the approved translations that are drawn for review, to see whether the policy holds.",
        metavar="SHARE",
        show_default=False,
    ),
]
AuditSeedOption = Annotated[
    int | None,
    typer.Option(help="Seed of the sample of --audit; another one draws others.", show_default="1"),
]
GroupOption = Annotated[
    Path | None,
    typer.Option(help="Groups that the policy has thresholds for, one per line.", show_default=False),
]
ManifestOption = Annotated[
    Path | None,
    typer.Option(
        help="Write a file of JSON: what the scores mean, the system, and what was counted.", show_default=False
    ),
]

OTHER_SUFFIXES = (
    ".csv",
    ".json",
    ".xlsx",
    ".parquet",
    ".xlf",
    ".xliff",
    ".sdlxliff",
    ".mqxliff",
    ".mxliff",
    ".tmx",
    ".po",
    ".pot",
)
"""The suffixes of formats of copies."""


def choose_form(output_format: str | None, output: Path | None) -> Any:
    """Return the form of the lines to write: the one that is asked for, or that the name of the file says.

    Raises:
        ConfigError: when the name of the file says another form than lines of TSV or JSON Lines.
    """
    from kiwi.exceptions import ConfigError

    asked = None if output_format is None else check_choice("--format", output_format, ("tsv", "jsonl"))
    suffix = "" if output is None else output.suffix.lower()
    told = {".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(suffix)
    if asked and told and asked != told:
        raise ConfigError(
            f"--output: {output} and --format {asked} contradict each other. Rename it, or remove --format."
        )
    if suffix in OTHER_SUFFIXES and not (suffix == ".json" and asked == "jsonl"):
        raise ConfigError(
            f"--output: found {output}, but TSV or JSON Lines is written here. Name it .tsv or .jsonl, or score a file "
            f"of the format, whose copy keeps it: kiwi score FILE{suffix} -o COPY{suffix}."
        )
    return asked or told or "tsv"
