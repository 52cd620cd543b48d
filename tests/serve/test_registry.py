"""Versions of models that are replaced while they are used."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kiwi import serve
from kiwi.serve.batching.queue import QueueClosedError
from kiwi.serve.options import ServeOptions
from kiwi.serve.registry import Registry, ReloadingError
from kiwi.serve.schemas import ScoreRequest, ScoreResponse
from kiwi.serve.scoring import answer
from kiwi.systems.manifest.intervals import CalibrationGroup, ScoreIntervals
from kiwi.systems.manifest.rewriting import read_info, rewrite


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


def test_answers_have_intervals_of_the_languages(text_system: Path, tmp_path: Path) -> None:
    path = tmp_path / "calibrated"
    shutil.copytree(text_system, path)
    info = read_info(path)
    groups = {"all": CalibrationGroup(20, 0.1), "en-de": CalibrationGroup(9, 0.2)}
    rewrite(path, replace(info, data=replace(info.data, intervals=ScoreIntervals(0.9, groups))))
    registry = Registry(ServeOptions({"text": str(path), "plain": str(text_system)}))
    try:
        rows = {}
        for name, served in registry.models.items():
            entries = served.worker.measure([("a b", "c d"), ("", "")])
            rows[name] = served.worker.submit(entries).future.result(30)
        asked = ScoreRequest.model_validate(
            {"segments": [{"source": "a b", "target": "c d"}, {"source": "", "target": ""}]}
        )
        found = answer(asked, registry.find("text"), rows["text"])["segments"]
        score = found[0]["score"]
        assert found[0]["interval"] == pytest.approx((max(score - 0.1, 0), score + 0.1), abs=2e-6)
        assert (found[1]["score"], found[1]["interval"]) == (None, None)
        german = asked.model_copy(update={"languages": ("en-US", "de"), "scale": "0-100"})
        found = answer(german, registry.find("text"), rows["text"])["segments"]
        ends = 100 * (1 - min(score + 0.2, 1)), 100 * (1 - max(score - 0.2, 0))
        assert found[0]["interval"] == pytest.approx(ends, abs=2e-4)
        assert "interval" not in answer(asked, registry.find("plain"), rows["plain"])["segments"][0]
        assert ScoreResponse.model_validate(answer(asked, registry.find("text"), rows["text"])).segments[0].interval
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
