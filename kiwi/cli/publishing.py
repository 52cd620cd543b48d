"""The command that prepares trained systems for others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiwi.cli.options import NewDirectoryArgument, VerboseOption


def publish(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT", help="Checkpoint directory, run directory, or exported system.", show_default=False
        ),
    ],
    directory: NewDirectoryArgument,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="ORGANIZATION/NAME",
            help="Name of the system on the Hugging Face hub.",
            show_default="name of DIRECTORY",
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--license",
            help="Hugging Face identifier of the licence, such as apache-2.0; of a package, an SPDX expression.",
            show_default=False,
        ),
    ] = None,
    package: Annotated[
        str | None,
        typer.Option(
            metavar="PACKAGE",
            help="Write a Python package of this name, such as kiwi-qe-medical, whose model is then called medical.",
            show_default=False,
        ),
    ] = None,
    package_version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Version of the Python package.", show_default="0.1.0")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="Policy of kiwi route fit for this system, which the copy carries.", show_default=False),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace DIRECTORY if it is a checkpoint or an export, without other files; with --package, if it is "
            "an earlier version of the package.",
        ),
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Prepare a trained system for the Hugging Face hub, or as a Python package, with a model card.

    Nothing is uploaded. To upload the result, run: hf upload ORGANIZATION/NAME DIRECTORY; a package is installed with:
    pip install DIRECTORY
    """
    from kiwi.lib.publish import publish as write
    from kiwi.utils.display import printable

    written = write(
        checkpoint,
        directory,
        name=name,
        licence=licence,
        package=package,
        package_version=package_version,
        policy=policy,
        overwrite=overwrite,
    )
    typer.echo(printable(str(written)))
