"""The floating-point precision that suits a device: what it multiplies natively, and how slow it is otherwise."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

logger = logging.getLogger(__name__)

Precision = Literal["32", "bf16", "16"]

BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""The flags of processors that multiply bfloat16 natively: those of x86, and ``bf16`` of ARM."""

CPU_INFO = Path("/proc/cpuinfo")

BFLOAT16_CAPABILITY, FLOAT16_CAPABILITY = (8, 0), (7, 0)
"""The compute capabilities of GPUs with matrix units for bfloat16 and for float16."""

ACCEPTED_RATIO = 1.2
"""The time of a matrix product in bfloat16, as a multiple of its time in 32 bits, above which kiwi warns."""


def choose_precision(device: str = "cpu") -> Precision:
    """Return the fastest precision that a device computes natively, the meaning of ``precision: auto``.

    The flags of the processor decide, and no measurement, so that every process of a machine chooses the same.

    Args:
        device: the name of the device, such as ``cpu`` or ``cuda:0``.
    """
    if device == "cpu":
        return "bf16" if cpu_flags() & BFLOAT16_FLAGS else "32"
    capability = torch.cuda.get_device_capability(device)
    if capability >= BFLOAT16_CAPABILITY:
        return "bf16"
    return "16" if capability >= FLOAT16_CAPABILITY else "32"


@cache
def cpu_flags() -> frozenset[str]:
    """Return the flags of the processor that concern bfloat16; empty where they are unknown."""
    get_capabilities = getattr(torch.cpu, "get_capabilities", dict)  # since torch 2.10
    flags = {name for name, value in get_capabilities().items() if value is True}
    with suppress(OSError):  # not Linux
        flags.update(CPU_INFO.read_text(encoding="utf-8", errors="replace").split())
    return frozenset(flags & BFLOAT16_FLAGS)


@cache
def measure_bfloat16() -> float:
    """Return the time of a matrix product in bfloat16 as a multiple of its time in 32 bits, measured in about 10 ms."""
    inputs, weights = torch.ones(32, 256), torch.ones(512, 256)
    return _time_product(inputs.bfloat16(), weights.bfloat16()) / _time_product(inputs, weights)


def _time_product(inputs: Tensor, weights: Tensor) -> float:
    times = []
    with torch.inference_mode():
        functional.linear(inputs, weights)  # the first call prepares the libraries
        for _ in range(3):
            start = time.perf_counter()
            functional.linear(inputs, weights)
            times.append(time.perf_counter() - start)
    return min(times)


def warn_if_emulated(option: str, precision: object, device: str = "cpu") -> None:
    """Warn, with the measured ratio, when the CPU computes a chosen precision more slowly than 32 bits.

    Args:
        option: the name of the option that chose it, such as ``trainer.precision``.
        precision: the precision.
        device: the name of the device.
    """
    if device != "cpu" or precision != "bf16" or choose_precision() == "bf16":
        return
    if (ratio := measure_bfloat16()) > ACCEPTED_RATIO:
        logger.warning(
            "%s is bf16, which this processor emulates: a matrix product takes %.0f times as long as in 32 bits. Set "
            "%s: auto, or 32.",
            option,
            ratio,
            option,
        )
