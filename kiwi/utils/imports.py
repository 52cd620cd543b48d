"""Optional dependencies, and the error that names the missing extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kiwi.exceptions import MissingExtraError


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn the failed import of an optional library into an error that names the extra to install.

    Args:
        extra: the name of the extra in kiwi's package metadata.
        purpose: the subject of the message, such as "kiwi train".

    Raises:
        MissingExtraError: when the import fails.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "kiwi"):
            raise
        raise MissingExtraError(
            f"{purpose} needs '{missing}', which is not installed. Install the extra '{extra}': in a clone of kiwi, "
            f"run pip install '.[{extra}]'"
        ) from error
