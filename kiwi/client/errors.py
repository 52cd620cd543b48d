"""The errors of requests to a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from kiwi.exceptions import KiwiError

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)
"""The errors after which nothing has been sent."""


class ServerError(KiwiError):
    """An error that the server has answered.

    Args:
        status: the status of HTTP.
        problem: the problem document, as in RFC 9457.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status}: {problem.get('detail') or problem.get('title') or 'no reason given'}")
        self.status = status
        self.problem = dict(problem)


class NoAnswerError(KiwiError):
    """A request without an answer of ``kiwi serve``: nothing, too late, or that of another program."""


def no_answer(url: httpx.URL, error: httpx.HTTPError, timeout: float, *, is_safe: bool) -> NoAnswerError:
    """Return the error of a request that was not answered.

    Args:
        url: the address of the server.
        error: the error of httpx.
        timeout: the number of seconds for an answer.
        is_safe: whether the request may be sent again.
    """
    if isinstance(error, NOT_CONNECTED):
        message = f"found no server ({error}). Check the address, and that kiwi serve runs there."
    elif isinstance(error, httpx.TimeoutException):
        message = f"found no answer in {timeout:g} seconds. Send less at once, or set a larger timeout."
    else:
        reason = str(error) or type(error).__name__
        message = f"found a connection that broke off ({reason}). Check that kiwi serve runs there."
    if not is_safe and not isinstance(error, NOT_CONNECTED):
        message += " The server may have taken the request, which would be there twice if it is sent again."
    return NoAnswerError(f"{url}: {message}")


@contextmanager
def understood(url: httpx.URL) -> Iterator[None]:
    """Raise errors about the content of an answer as those of another program at this address.

    Args:
        url: the address of the server.

    Raises:
        NoAnswerError: when the answer is not of the expected form.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise NoAnswerError(
            f"{url}: found an answer that is not one of kiwi serve ({reason:.200}). Check the address."
        ) from error
