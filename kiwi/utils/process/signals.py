"""Signals that stop a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from kiwi.exceptions import StoppedError


@contextmanager
def stop_on_signals(advice: str | Callable[[], str]) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into an error that says how to resume.

    Args:
        advice: a sentence that says what is kept and how to resume, or a function that returns it at that time.

    Raises:
        StoppedError: when one of the two arrives; in threads other than the main one, SIGTERM is not handled.
    """

    def stopped(name: str, number: int) -> StoppedError:
        return StoppedError(
            f"Stopped by {name}. {advice if isinstance(advice, str) else advice()}", signal_number=number
        )

    def stop(number: int, frame: FrameType | None) -> None:
        raise stopped("SIGTERM", number)

    is_main = threading.current_thread() is threading.main_thread()
    former: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    if is_main:
        signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, KeyboardInterrupt):
            raise  # otherwise it is how Lightning ends after Ctrl-C
        raise stopped("Ctrl-C", signal.SIGINT) from error
    finally:
        if is_main:  # Lightning leaves Ctrl-C ignored; None means a handler that was not installed from Python
            for number, handler in former.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
