"""A headless browser, and what it shows."""

from __future__ import annotations

import json
import shutil
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Visit:
    """The result of opening a page."""

    dom: str
    """The document after its script has run."""

    console: list[str]
    """The messages of the browser's console."""

    requests: list[str]
    """The addresses that the page requested, other than its own file."""


def chromium() -> str:
    path = shutil.which("chromium")
    assert path, "The tests open the page in Chromium: install it, on Debian with `apt-get install chromium`."
    return path


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [
            chromium(),
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--enable-logging=stderr", f"--user-data-dir={directory / 'profile'}", *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def visit(page: Path, directory: Path, fragment: str = "") -> Visit:
    """Open a page and let its script run."""
    log = directory / "network.json"
    done = _run(directory, "--dump-dom", f"--log-net-log={log}", f"{page.as_uri()}{fragment}")
    # The browser sends requests of its own; those of the page have its origin, which is "null" for a file.
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [event.get("params", {}) for event in events]
    urls = {params["url"] for params in asked if params.get("initiator") == "null" and "url" in params}
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Visit(done.stdout, console, sorted(urls))


def screenshot(page: Path, directory: Path, width: int, height: int, *arguments: str) -> NDArray[np.uint8]:
    """Take a picture of a page: (height, width, 3)."""
    picture = directory / "picture.png"
    _run(directory, f"--screenshot={picture}", f"--window-size={width},{height}", *arguments, page.as_uri())
    return read_png(picture.read_bytes())


def read_png(content: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a PNG file with 8 bits per channel: (height, width, 3)."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    place, data, header = 8, b"", b""
    while place < len(content):
        size, kind = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        part = content[place + 8 : place + 8 + size]
        header = part if kind == b"IHDR" else header
        data += part if kind == b"IDAT" else b""
        place += size + 12
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    assert (header[8], header[12]) == (8, 0), "8 bits, not interlaced"
    channels = {2: 3, 6: 4}[header[9]]
    lines = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(height, 1 + width * channels)
    pixels = np.zeros((height + 1, width + 1, channels), dtype=np.uint8)  # a border of zeros above and to the left
    for row, line in enumerate(lines, start=1):
        _unfilter(int(line[0]), line[1:].reshape(width, channels), pixels[row - 1], pixels[row])
    return pixels[1:, 1:, :3]


def _unfilter(kind: int, line: NDArray[np.uint8], above: NDArray[np.uint8], row: NDArray[np.uint8]) -> None:
    """Add back what PNG subtracts from a line: the pixel to the left, the one above, or a guess from both."""
    if kind == 0:
        row[1:] = line
    elif kind == 1:
        row[1:] = np.cumsum(line, axis=0, dtype=np.uint8)
    elif kind == 2:
        row[1:] = line + above[1:]
    else:
        for channel in range(line.shape[1]):
            left, values = 0, []
            up = above[:, channel].tolist()
            for place, value in enumerate(line[:, channel].tolist(), start=1):
                if kind == 3:
                    guess = (left + up[place]) // 2
                else:
                    corner = up[place - 1]
                    by = abs(up[place] - corner), abs(left - corner), abs(left + up[place] - 2 * corner)
                    guess = (left, up[place], corner)[by.index(min(by))]
                left = (value + guess) & 255
                values.append(left)
            row[1:, channel] = values
