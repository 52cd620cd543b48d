"""Optional dependencies: one place that says which extra is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kiwi.exceptions import MissingExtraError


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn the failed import of an optional library into an error that names the extra to install.

    Args:
        extra: name of the extra in kiwi's package metadata.
        purpose: what the library is needed for, as the subject of the message ("kiwi train").
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "kiwi"):
            raise
        raise MissingExtraError(
            f"{purpose} needs '{missing}', which is not installed. Install it with: pip install 'kiwi-qe[{extra}]'"
        ) from error
