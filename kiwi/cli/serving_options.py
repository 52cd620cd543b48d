"""The options of the server."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

DAY = 86_400
"""The number of seconds of a day."""


def _check_number(value: float) -> float:
    """Refuse what is no number, which no range excludes."""
    if math.isnan(value):
        raise typer.BadParameter("found nan; expected a number.")
    return value


ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="[NAME=]MODEL",
        help="Model to serve, and its name in requests; several times for several models, the default first.",
        show_default="the installed model",
    ),
]
PoliciesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--policy", metavar="[NAME=]FILE", help="Policy that requests may name, of kiwi route fit.", show_default=False
    ),
]
HostOption = Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 is all of this machine.")]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 is a free one.")]
WorkersOption = Annotated[int, typer.Option(min=1, max=1024, help="Number of processes, each with all models.")]
KeysOption = Annotated[
    Path | None,
    typer.Option("--keys", help="File of API keys; more may be in KIWI_SERVE_KEYS.", show_default="no keys are needed"),
]
NewKeyOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Print a new API key and its entry for --keys, and exit.")
]
AllowedHostsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host",
        help="Name by which clients call the server.",
        show_default="any; at 127.0.0.1, the names of this machine",
    ),
]
QueueOption = Annotated[int, typer.Option(min=1, help="Maximum number of segments that wait.")]
CacheOption = Annotated[int, typer.Option(min=0, help="Number of segments whose results are kept, without texts.")]
CacheBytesOption = Annotated[int, typer.Option(min=0, help="Memory that these results may take, in bytes.")]
BatchWaitOption = Annotated[
    float,
    typer.Option(min=0, max=1000, callback=_check_number, help="Milliseconds that a batch waits for more segments."),
]
MaxBytesOption = Annotated[int, typer.Option(min=1, help="Maximum size of a request, in bytes.")]
MaxSegmentsOption = Annotated[int, typer.Option(min=1, help="Maximum number of segments of a request.")]
MaxTokensOption = Annotated[int, typer.Option(min=1, help="Maximum number of words or pieces of a request.")]
TimeoutOption = Annotated[
    float,
    typer.Option(
        min=0.01,
        max=DAY,
        callback=_check_number,
        help="Seconds in which a request must have arrived, and must be answered.",
    ),
]
MaxFileBytesOption = Annotated[int, typer.Option(min=1, help="Maximum size of an uploaded file, in bytes.")]
MaxContentBytesOption = Annotated[
    int, typer.Option(min=1, help="Maximum size of an uploaded file when it is decompressed, in bytes.")
]
MaxFilesOption = Annotated[int, typer.Option(min=1, help="Maximum number of files that are kept.")]
FileExpiryOption = Annotated[
    float,
    typer.Option(min=1, max=366 * DAY, callback=_check_number, help="Seconds after which a file is removed."),
]
FeedbackOption = Annotated[
    Path | None,
    typer.Option(metavar="DIRECTORY", help="Directory for feedback, as JSON Lines.", show_default="none is stored"),
]
ShutdownOption = Annotated[
    float,
    typer.Option(min=0, max=DAY, callback=_check_number, help="Seconds in which requests are finished at the end."),
]
DrainOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=7 * DAY,
        callback=_check_number,
        help="Seconds in which a process that a reload replaces finishes the files that it took.",
    ),
]
LogTextsOption = Annotated[
    bool, typer.Option("--log-texts", help="Log the texts of segments, which are private otherwise.")
]
