from __future__ import annotations

import threading
import time

import pytest

from kiwi.utils.deadline import within


def test_a_call_ends_in_time_or_is_given_up() -> None:
    assert within(10, lambda: 7) == 7
    assert within(10, lambda: None) is None
    with pytest.raises(KeyError, match="x"):
        within(10, lambda: {}["x"])
    end = threading.Event()
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no complete answer within 0\.1 s"):
        within(0.1, lambda: end.wait(30))
    assert time.monotonic() - start < 10
    end.set()
