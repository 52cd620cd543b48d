"""Versions of models that are replaced while they are used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kiwi import serve
from kiwi.serve.batching.queue import QueueClosedError
from kiwi.serve.options import ServeOptions
from kiwi.serve.registry import Registry, ReloadingError


def test_a_version_that_is_held_is_not_closed_by_a_reload(text_system: Path) -> None:
    registry = Registry(ServeOptions({"text": str(text_system)}))
    try:
        with registry._reloading, pytest.raises(ReloadingError, match="ask again"):
            registry.reload("text", wait=False)
        with registry.hold("text") as held:
            registry.reload()
            assert registry.find("text") is not held
            (retiring,) = registry._old
            retiring.join(0.3)
            assert retiring.is_alive()
            held.worker.submit(held.worker.measure([{"source": "a b", "target": "c"}])).future.result(30)
        retiring.join(30)
        assert not retiring.is_alive()
        with pytest.raises(QueueClosedError):
            held.worker.submit(held.worker.measure([{"source": "a b", "target": "c d"}]))
    finally:
        assert registry.close(30)


def test_no_time_is_measured_by_a_clock_that_may_jump() -> None:
    stamps = {"calls/chat.py": 1, "calls/feedback.py": 1}  # what is told and stored has the time of the day
    place = Path(serve.__file__).parent
    found = {
        path.relative_to(place).as_posix(): len(re.findall(r"time\.time\(|gmtime\(|localtime\(|datetime\.", text))
        for path in place.rglob("*.py")
        if (text := path.read_text(encoding="utf-8"))
    }
    assert {path: n for path, n in found.items() if n} == stamps
