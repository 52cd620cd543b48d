"""Signals that stop a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from kiwi.exceptions import StoppedError


@contextmanager
def stop_on_signals(advice: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into an error that says how to resume.

    Args:
        advice: a sentence that says what is kept and how to resume.

    Raises:
        StoppedError: when one of the two arrives; in threads other than the main one, SIGTERM is not handled.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise StoppedError(f"Stopped by SIGTERM. {advice}", signal_number=number)

    is_main = threading.current_thread() is threading.main_thread()
    former: Any = signal.signal(signal.SIGTERM, stop) if is_main else None
    try:
        yield
    except KeyboardInterrupt as error:
        raise StoppedError(f"Stopped by Ctrl-C. {advice}", signal_number=signal.SIGINT) from error
    finally:
        if is_main:  # None means a handler that was not installed from Python
            signal.signal(signal.SIGTERM, former if former is not None else signal.SIG_DFL)
