"""One Chromium for all tests of a process, through Playwright."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, sync_playwright

T = TypeVar("T")

COUNT_COLOURS = """async (png) => {
  const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(canvas.getImageData(0, 0, picture.width, picture.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1 / pixels.length);
  return [...counts].map(([pixel, share]) => [[pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255], share]);
}"""


def chromium() -> str:
    path = shutil.which("chromium")
    assert path, "The tests open pages in Chromium: install it, on Debian with `apt-get install chromium`."
    return path


@dataclass
class Visit:
    """An open page, and what it has said and asked for."""

    page: Page
    console: list[str] = field(default_factory=list)
    """The messages of the console, and the errors of scripts."""

    requests: list[str] = field(default_factory=list)
    """The addresses that the page has requested, other than its own."""

    def note(self, request: Request, own: str) -> None:
        if request.url != own.partition("#")[0]:
            self.requests.append(request.url)

    def shown(self, selector: str) -> int:
        """The number of elements that are shown."""
        return self.page.locator(selector).filter(visible=True).count()

    @property
    def width(self) -> int:
        """The width of all that there is, which is more than that of the window if something sticks out."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        return width


class Chromium:
    """A browser in a thread of its own, because Playwright leaves a loop running in the thread that calls it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "browser")
        self._playwright: Playwright = self.run(sync_playwright().start)
        self._browser: Browser = self.run(
            lambda: self._playwright.chromium.launch(executable_path=chromium(), args=["--disable-dev-shm-usage"])
        )
        self._contexts: list[BrowserContext] = []

    def run(self, function: Callable[[], T]) -> T:
        """Call a function in the thread of the browser."""
        return self._thread.submit(function).result()

    def open(
        self, place: Path | str, *, width: int = 1280, height: int = 800, dark: bool = False, **options: Any
    ) -> Visit:
        """Open a page in a window of its own.

        Args:
            place: a file, or an address.
            width: the width of the window.
            height: its height.
            dark: whether the dark style is preferred.
            options: other options of Playwright's contexts.
        """
        scheme = "dark" if dark else "light"
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", **options
        )
        context.set_default_timeout(20_000)
        self._contexts.append(context)
        visit = Visit(context.new_page())
        address = place.as_uri() if isinstance(place, Path) else place
        visit.page.on("request", lambda request: visit.note(request, address))
        visit.page.on("console", lambda message: visit.console.append(message.text))
        visit.page.on("pageerror", lambda error: visit.console.append(str(error)))
        visit.page.goto(address)
        return visit

    def colours(self, visit: Visit) -> dict[tuple[int, int, int], float]:
        """Return the share of each colour, red, green and blue, in a picture of a page."""
        picture = base64.b64encode(visit.page.screenshot()).decode()
        counts = visit.page.context.new_page().evaluate(COUNT_COLOURS, picture)
        return {tuple(colour): share for colour, share in counts}

    def close_windows(self) -> None:
        while self._contexts:
            self.run(self._contexts.pop().close)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_windows()
        self.run(self._browser.close)
        self.run(self._playwright.stop)
        self._thread.shutdown()
