"""API keys, of which the server knows hashes only, and their rates."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field

from kiwi.exceptions import ConfigError
from kiwi.utils.io import BaseConfig
from kiwi.utils.structured.reading import read_structured

VARIABLE = "KIWI_SERVE_KEYS"
"""The environment variable with keys: ``name=hash`` pairs, separated by white space."""

MINUTE = 60.0
"""The number of seconds of a minute."""

MOST_REQUESTS = 1_000_000
"""The highest rate of a key, each request of which takes 32 bytes of memory, which it then keeps."""

SHA256 = r"^[0-9a-f]{64}$"


class Key(BaseConfig):
    """An API key."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the key in the log and the metrics."""

    sha256: str = Field(pattern=SHA256)
    """SHA-256 of the key, in hexadecimal digits."""

    rate: float | None = Field(default=None, gt=0, le=MOST_REQUESTS)
    """Maximum number of requests in any minute; none by default. A number that is not whole is a mean: 1.5 allows 2
    requests in any 80 seconds, 0.5 a request in any 120 seconds."""

    admin: bool = False
    """Whether the key may reload models."""


class KeyFile(BaseConfig):
    """A file of API keys."""

    keys: list[Key] = Field(min_length=1)
    """API keys, each with a name of its own."""


def make_key() -> tuple[str, str]:
    """Return a new random key, and its hash for the server."""
    key = f"kiwi-{secrets.token_urlsafe(32)}"
    return key, hash_key(key)


def describe_new_key(name: str) -> str:
    """Make a key, and return it, its entry for a file of keys, and the same for the environment.

    Raises:
        ConfigError: when the name cannot be that of a key.
    """
    key, digest = make_key()
    Key.from_dict({"name": name, "sha256": digest}, "--new-key")
    return (
        f"The key, which is shown only now: {key}\n"
        f"Its entry in the file of --keys:\n\nkeys:\n  - name: {name}\n    sha256: {digest}\n\n"
        f"Or in the environment: {VARIABLE}={name}={digest}"
    )


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key, which has enough randomness to need no slower hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read_keys(path: Path | None, environment: str | None = None) -> tuple[Key, ...]:
    """Return the keys of a file and of the environment.

    Args:
        path: the file, YAML or JSON with a list ``keys``; None is none.
        environment: the value of :data:`VARIABLE`.

    Raises:
        ConfigError: when they are not as described, or two have one name.
    """
    keys: list[Key] = []
    if path is not None:
        content = read_structured(path)
        try:
            keys += KeyFile.from_dict(content if isinstance(content, dict) else {"keys": content}).keys
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    for pair in (environment or "").split():
        name, _, digest = pair.partition("=")
        try:
            keys.append(Key.from_dict({"name": name, "sha256": digest}))
        except ConfigError as error:
            raise ConfigError(
                f"{VARIABLE}: found a key that is not NAME=HASH; expected a name and the 64 digits that kiwi serve "
                "--new-key NAME prints."
            ) from error
    names = [key.name for key in keys]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"keys: found {', '.join(twice)} twice. Give each key a name of its own.")
    return tuple(keys)


class Keyring:
    """The keys of a server, and what each has used of its rate.

    Args:
        keys: the keys.
        clock: returns the time in seconds; it never goes back.
    """

    def __init__(self, keys: Sequence[Key], clock: Callable[[], float] = time.monotonic) -> None:
        self.keys = keys
        self._clock = clock
        self._allowed: dict[str, deque[float]] = {}  # when the last requests of each key were allowed, until replaced

    def __bool__(self) -> bool:
        return bool(self.keys)

    def find(self, given: str) -> Key | None:
        """Return the key with this text; the time that it takes tells nothing about the keys."""
        digest, found = hash_key(given), None
        for key in self.keys:
            if hmac.compare_digest(digest, key.sha256):
                found = key
        return found

    def wait(self, key: Key) -> int:
        """Count a request of a key, and return the seconds after which it is allowed; 0 if it is allowed now."""
        if key.rate is None:
            return 0
        now, most = self._clock(), math.ceil(key.rate)
        allowed = self._allowed.setdefault(key.name, deque(maxlen=most))
        window = MINUTE * (most / key.rate)  # a minute, or longer if the rate is not whole
        if len(allowed) == most and (left := allowed[0] + window - now) > 0:
            return max(1, math.ceil(left))
        allowed.append(now)  # in the place of the first one
        return 0
