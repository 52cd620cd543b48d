"""Versions of models that are replaced while they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiwi.serve.batching.queue import QueueClosedError
from kiwi.serve.options import ServeOptions
from kiwi.serve.registry import Registry


def test_a_version_that_is_held_is_not_closed_by_a_reload(text_system: Path) -> None:
    registry = Registry(ServeOptions({"text": str(text_system)}))
    try:
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
