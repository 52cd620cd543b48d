from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from kiwi.systems import precision


@pytest.mark.parametrize(
    ("cpu_info", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16\n", "bf16"),
        ("flags\t\t: fpu avx2 amx_bf16 amx_tile\n", "bf16"),
        ("Features\t: fp asimd bf16 i8mm\n", "bf16"),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", "32"),
        (None, "32"),
    ],
)
def test_the_flags_of_the_processor_decide(
    cpu_info: str | None, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if cpu_info is not None:
        (tmp_path / "cpuinfo").write_text(cpu_info)
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    precision.cpu_flags.cache_clear()
    assert precision.choose_precision() == expected
    precision.cpu_flags.cache_clear()


@pytest.mark.parametrize(
    ("capability", "expected"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "16"), ((6, 1), "32")]
)
def test_the_capability_of_a_gpu_decides(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.choose_precision("cuda:0") == expected


@pytest.mark.parametrize(
    ("chosen", "ratio", "flags", "warns"),
    [
        ("bf16", 7.2, set(), True),
        ("bf16", 0.6, set(), False),
        ("bf16", 7.2, {"amx_bf16"}, False),
        (32, 7.2, set(), False),
    ],
)
def test_a_slow_choice_warns_with_the_ratio(
    chosen: object,
    ratio: float,
    flags: set[str],
    warns: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset(flags))
    monkeypatch.setattr(precision, "measure_bfloat16", lambda: ratio)
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        precision.warn_if_emulated("trainer.precision", chosen)
    assert ("takes 7 times as long as in 32 bits. Set trainer.precision: auto" in caplog.text) == warns
    assert len(caplog.records) == warns


def test_the_ratio_is_measured() -> None:
    assert 0.05 < precision.measure_bfloat16() < 1000
