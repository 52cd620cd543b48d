"""The options of the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kiwi.exceptions import ConfigError
from kiwi.runner.options import PredictOptions
from kiwi.serve.batching.worker import QueueOptions
from kiwi.serve.keys import Key
from kiwi.systems.manifest.locations import MODEL_NAME


@dataclass(frozen=True)
class Limits:
    """What a request may ask for."""

    max_bytes: int = 8 * 2**20
    """The maximum size of a request, except for files, in bytes."""

    max_segments: int = 2000
    """The maximum number of segments of a request."""

    max_tokens: int = 200_000
    """The maximum number of words or pieces of a request."""

    timeout: float = 60.0
    """The number of seconds within which a request must have arrived, and, again, within which it is answered."""

    max_file_bytes: int = 256 * 2**20
    """The maximum size of an uploaded file, in bytes."""

    max_content_bytes: int = 2**30
    """The maximum size of an uploaded file when all of it is decompressed, in bytes."""

    max_jobs: int = 20
    """The maximum number of files that are kept: waiting, being scored, or to be downloaded."""

    file_expiry: float = 3600.0
    """The number of seconds after which a file is removed."""


@dataclass(frozen=True)
class ServeOptions:
    """The options of ``kiwi serve``."""

    models: Mapping[str, str]
    """The directory or name of each model, by the name that requests use; the first one is the default."""

    policies: Mapping[str, Path] = field(default_factory=dict)
    """The file of each policy, by the name that requests use."""

    predict: PredictOptions = field(default_factory=PredictOptions)
    """How models are loaded."""

    queue: QueueOptions = field(default_factory=QueueOptions)
    """How segments wait."""

    limits: Limits = field(default_factory=Limits)
    """What a request may ask for."""

    keys: tuple[Key, ...] = ()
    """The API keys; without any, everyone who reaches the server may use it."""

    host: str = "127.0.0.1"
    """The address to listen at."""

    port: int = 8000
    """The port to listen at; 0 chooses a free one."""

    allowed_hosts: tuple[str, ...] = ()
    """The names by which clients may call the server; by default, any, or those of this machine at its own address."""

    workers: int = 1
    """The number of processes, each of which loads the models."""

    shutdown_timeout: float = 30.0
    """The number of seconds in which requests are finished at the end."""

    drain_timeout: float = 3600.0
    """The number of seconds in which a process that is replaced finishes the files that it took."""

    feedback: Path | None = None
    """The directory to which feedback is written; None takes none."""

    log_texts: bool = False
    """Whether the texts of segments are logged."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names by which clients may call the server; empty for any."""
        if self.allowed_hosts or self.host not in LOCAL:
            return self.allowed_hosts
        return LOCAL


LOCAL = ("127.0.0.1", "localhost", "::1")
"""The names of this machine."""


def parse_named(given: Sequence[str], option: str) -> dict[str, str]:
    """Return values by their names.

    Args:
        given: ``name=path``, or a path, whose last part without its suffix is the name.
        option: the option, for errors.

    Raises:
        ConfigError: when a name is missing, is none, or is there twice.
    """
    found: dict[str, str] = {}
    for value in given:
        name, equals, path = value.partition("=")
        if not equals:
            path = value
            place = Path(path).expanduser()
            name = place.stem if place.suffix in (".json", ".yaml", ".yml") else place.name
        if MODEL_NAME.fullmatch(name) is None or not path:
            raise ConfigError(
                f"{option}: found '{value}'; expected NAME=PATH, where the name has letters, digits, dots, dashes and "
                "underscores."
            )
        if name in found:
            raise ConfigError(f"{option}: found the name '{name}' twice. Give each its own, as NAME=PATH.")
        found[name] = path
    return found
