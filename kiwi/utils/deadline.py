"""Calls that end, whatever the other side does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, function: Callable[[], Result]) -> Result:
    """Return the result of a function that waits for another machine.

    Timeouts of sockets do not bound such calls, because each byte that arrives starts them anew.

    Args:
        seconds: the time in seconds after which the function is given up; its thread ends with the process.
        function: the function.

    Raises:
        TimeoutError: when there is no result in time.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:  # raised again below
            errors.append(error)

    thread = threading.Thread(target=work, name="kiwi-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no complete answer within {seconds:g} s")
    return results[0]
