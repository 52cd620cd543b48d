"""A file that is scored: what is known of it, and what its name may be."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from kiwi.exceptions import KiwiError
from kiwi.utils.compression import SUFFIXES as COMPRESSED

JOB_ID = re.compile(r"[0-9a-f]{32}")

State = Literal["waiting", "running", "done", "failed", "cancelled"]

FINAL = ("done", "failed", "cancelled")


class TooManyJobsError(KiwiError):
    """A file for which there is no place."""


@dataclass(frozen=True)
class Job:
    """A file that is scored."""

    id: str
    name: str
    """The name of the file, of which kiwi uses the suffix."""

    model: str
    owner: str = ""
    """The name of the API key that may ask for it."""

    state: State = "waiting"
    segments: int = 0
    """The number of segments that are scored."""

    total: int | None = None
    """The number of segments that it has; None until they are counted."""

    bad_segments: int = 0
    """The number of segments that could not be scored."""

    updated: float = 0.0
    """The time of the last change, on a clock that never jumps and that all processes share."""

    error: str | None = None
    warnings: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Return what its owner may know, for JSON."""
        return {name: value for name, value in asdict(self).items() if name not in ("owner", "updated")}


def clean_name(name: str) -> str:
    """Return the last part of a file's name, without what could be misunderstood in a header or a path."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[\x00-\x1f\x7f\"]", "_", last)[-200:] or "file"


def scored_name(name: str) -> str:
    """Return the name of the scored copy of a file, such as ``release-1.2.scored.xlf.gz``."""
    stem = name[: len(name) - len(suffixes(name))]
    return f"{stem}.scored{name[len(stem) :]}"


def suffixes(name: str) -> str:
    """Return the suffix of a file's name with that of its compression, such as ``.xlf.gz``."""
    path = Path(name.lower())
    own = path.suffix
    return Path(path.stem).suffix + own if own in COMPRESSED else own
