"""The command that compares systems of translation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    AlignerOption,
    AlignOption,
    BatchTokensOption,
    GpuOption,
    HigherIsBetterOption,
    ModelOption,
    OverwriteOption,
    PrecisionOption,
    QuietOption,
    ScaleOption,
    SourceOption,
    ThreadsOption,
    VerboseOption,
    check_choice,
    exit_if_bad,
    from_standard_input,
    parse_target_columns,
)


def compare(
    model: ModelOption = None,
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TABLE]",
            help="TSV, CSV, JSON Lines or Parquet file with a column for each system, or with a column 'system'.",
            show_default=False,
        ),
    ] = None,
    source: SourceOption = None,
    targets: Annotated[
        list[Path] | None,
        typer.Option("-t", "--target", help="Translations of a system, one per line; once for each system."),
    ] = None,
    language_pairs: Annotated[
        Path | None,
        typer.Option(
            "--lp",
            help="Language pair of each segment, such as en-de; for figures of each pair.",
            show_default="the column lp of TABLE",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="Column names by field: source; target, once or for each system; system, id, lp.",
            metavar="FIELD=NAME[,...]",
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            help="Names of the systems, in the order of their files or columns.",
            metavar="NAME[,...]",
            show_default="the names of the files or columns",
        ),
    ] = None,
    scale: ScaleOption = None,
    higher_is_better: HigherIsBetterOption = None,
    resamples: Annotated[
        int,
        typer.Option(min=0, max=1_000_000, help="Number of resamples of the bootstrap; 0 omits intervals and tests."),
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the resamples.")] = 42,
    n_shown: Annotated[
        int, typer.Option("--segments", min=0, help="Number of segments that differ most, in --report and --output.")
    ] = 30,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with the comparison (HTML).", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write all results and the score of each segment (JSON).", show_default=False
        ),
    ] = None,
    on_bad: Annotated[
        str,
        typer.Option(
            help="What to do with a segment that cannot be used, such as one with an empty translation: leave it out "
            "for all systems (skip), or stop.",
            metavar="skip|stop",
        ),
    ] = "skip",
    align: AlignOption = True,
    aligner: AlignerOption = None,
    overwrite: OverwriteOption = False,
    gpu_id: GpuOption = None,
    threads: ThreadsOption = None,
    batch_tokens: BatchTokensOption = None,
    precision: PrecisionOption = "32",
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare systems by the scores of their translations of the same segments.

    Examples: kiwi compare -m MODEL -s source.txt -t one.txt -t other.txt; kiwi compare -m MODEL table.tsv
    --columns source=src,target=one,target=other --report report.html
    """
    from kiwi.lib.console.comparison import print_comparison
    from kiwi.lib.score.compare import CompareOptions, Given, compare as run
    from kiwi.lib.utils import configure_logging
    from kiwi.runner.options import PredictOptions
    from kiwi.systems.manifest.locations import default_model

    configure_logging(verbose=verbose, quiet=quiet)
    by_field, target_columns = parse_target_columns(columns or [])
    files = {"source": source, "lp": language_pairs} | {f"target {n}": path for n, path in enumerate(targets or [])}
    places = from_standard_input({name: path for name, path in files.items() if path is not None})
    compared = run(
        model or default_model(),
        Given(
            places.get("source"),
            [path for name, path in places.items() if name.startswith("target ")],
            places.get("lp"),
            table,
            by_field,
            target_columns,
            [name for argument in names or [] for name in argument.split(",")],
        ),
        what=CompareOptions(
            None if scale is None else check_choice("--scale", scale, ("own", "0-100")),
            higher_is_better,
            resamples,
            seed,
            n_shown,
            check_choice("--on-bad", on_bad, ("skip", "stop")),
        ),
        report=report,
        output=output,
        overwrite=overwrite,
        options=PredictOptions(
            gpu_id=gpu_id,
            threads=threads,
            batch_tokens=batch_tokens,
            precision=check_choice("--precision", precision, ("32", "bf16", "16", "auto")),
            align=align,
            aligner=aligner,
        ),
    )
    print_comparison(compared)
    exit_if_bad(len(compared.unusable))
