"""The commands that decide which translations may be approved by their score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import (
    ColumnsOption,
    OverwriteOption,
    QuietOption,
    VerboseOption,
    check_choice,
    parse_columns,
    set_up_log,
)

PredictionsOption = Annotated[
    str,
    typer.Option(
        "-p",
        "--predictions",
        help="Scores of the system for the calibration data: one per line, or a table.",
        metavar="FILE[:COLUMN]",
        show_default=False,
    ),
]
GoldOption = Annotated[
    str,
    typer.Option(
        "-g",
        "--gold",
        help="Gold values, such as the HTER of post-edits: one per line, or a table; or error spans.",
        metavar="FILE[:COLUMN]",
        show_default=False,
    ),
]
ModelOption = Annotated[
    Path,
    typer.Option("-m", "--model", help="The system that gave the scores: a directory.", show_default=False),
]

ByOption = Annotated[
    str | None,
    typer.Option(
        help="Groups that have a threshold each, such as language pairs: one per line, or a column of a table.",
        metavar="FILE[:COLUMN]",
        show_default=False,
    ),
]


def fit(
    output: Annotated[Path, typer.Argument(metavar="POLICY", help="File to write, as JSON.", show_default=False)],
    model: ModelOption,
    predictions: PredictionsOption,
    gold: GoldOption,
    acceptable: Annotated[
        str,
        typer.Option(
            help="What an acceptable translation is, such as 'hter <= 0.1', 'da >= 70', 'mqm <= 5' or 'no major'.",
            metavar="CONDITION",
            show_default=False,
        ),
    ],
    risk: Annotated[float, typer.Option(help="Largest share of approved translations that are not acceptable.")] = 0.1,
    confidence: Annotated[float, typer.Option(help="Probability that this share is kept.")] = 0.9,
    by: ByOption = None,
    step: Annotated[
        float | None,
        typer.Option(help="Distance of the thresholds that are tested.", show_default="a thousandth of the range"),
    ] = None,
    overwrite: OverwriteOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the score from which translations may be approved, with a certified risk.

    Example: kiwi route fit policy.json -m MODEL -p dev.scores -g dev.hter --acceptable 'hter <= 0.1'
    """
    from kiwi.lib.console.tables import print_table
    from kiwi.lib.route import FitOptions, fit_policy
    from kiwi.lib.route.columns import SCORE_COLUMN, Column
    from kiwi.lib.route.fit import HEADER
    from kiwi.utils.display import printable

    set_up_log(verbose=verbose, quiet=quiet)
    info = fit_policy(
        output,
        model,
        Column.parse(predictions, SCORE_COLUMN),
        Column.parse(gold, "gold"),
        FitOptions(acceptable, risk, confidence, step),
        by=None if by is None else Column.parse(by, "lp"),
        overwrite=overwrite,
    )
    if not quiet:
        title = f"Approved with {acceptable}: risk at most {risk:g}, with probability {confidence:g}"
        print_table(title, HEADER, info.rows())
    typer.echo(printable(str(info.path)))


def report(
    output: Annotated[Path, typer.Argument(metavar="REPORT", help="File to write, as HTML.", show_default=False)],
    policy: Annotated[Path, typer.Option("--policy", help="The policy, a file of kiwi route fit.", show_default=False)],
    predictions: PredictionsOption,
    gold: GoldOption,
    by: ByOption = None,
    target: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--target",
            help="The translations, whose words are counted: one per line, or a column of a table.",
            metavar="FILE[:COLUMN]",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what a policy approves, what it risks and what it saves, as a page.

    Example: kiwi route report report.html --policy policy.json -p dev.scores -g dev.hter
    """
    from kiwi.lib.route import write_report
    from kiwi.lib.route.columns import SCORE_COLUMN, Column
    from kiwi.utils.display import printable

    set_up_log(verbose=verbose, quiet=quiet)
    written = write_report(
        output,
        policy,
        Column.parse(predictions, SCORE_COLUMN),
        Column.parse(gold, "gold"),
        by=None if by is None else Column.parse(by, "lp"),
        target=None if target is None else Column.parse(target, "target"),
        overwrite=overwrite,
    )
    typer.echo(printable(str(written)))


def update(
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="The policy that decided.", show_default=False)],
    feedback: Annotated[
        Path,
        typer.Option(
            "--feedback",
            help="What kiwi score --policy --audit wrote, with final translations or judgements of people: XLIFF, TMX, "
            "PO, or a table.",
            show_default=False,
        ),
    ],
    target: Annotated[
        Path | None,
        typer.Option(
            "-t",
            "--target",
            help="Machine translations, beside XLIFF, TMX or PO: the file as kiwi score wrote it, or lines.",
            show_default="those in the feedback",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.", show_default="POLICY")] = None,
    columns: ColumnsOption = None,
    languages: Annotated[
        str | None,
        typer.Option(
            help="Languages of source and target, where the feedback does not say them.",
            metavar="SOURCE,TARGET",
            show_default=False,
        ),
    ] = None,
    mt_origin: Annotated[
        str | None,
        typer.Option(help="Part of the name of the origin of the machine translations.", show_default=False),
    ] = None,
    tokenizer: Annotated[
        str,
        typer.Option(
            help="How translations are split into words for their HTER, as in kiwi corpus.",
            metavar="auto|none|moses|zh|ja",
        ),
    ] = "auto",
    overwrite: OverwriteOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count what people made of audited segments, and certify the policy again or withdraw it.

    Example: kiwi route update policy.json --feedback edited.xlf --target scored.xlf
    """
    from kiwi.lib.console.tables import print_table
    from kiwi.lib.route import FeedbackInput, update_policy
    from kiwi.lib.route.update import HEADER
    from kiwi.utils.display import printable

    set_up_log(verbose=verbose, quiet=quiet)
    given = FeedbackInput(
        feedback, target, parse_columns(columns or []), tuple(languages.split(",")) if languages else (), mt_origin
    )
    tokenizer = check_choice("--tokenizer", tokenizer, ("auto", "none", "moses", "zh", "ja"))
    info = update_policy(policy, given, output=output, tokenizer=tokenizer, overwrite=overwrite)
    if not quiet:
        found = info.policy
        title = f"Audited: {found.acceptable}, risk at most {found.risk:g}, with probability {found.confidence:g}"
        print_table(title, HEADER, info.rows())
    typer.echo(printable(str(info.path)))
