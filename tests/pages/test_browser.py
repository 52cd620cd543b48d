"""The page in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiwi.pages.evaluation import evaluation_page
from tests.browser import Chromium, Visit
from tests.pages.corpus import evaluated

LIGHT, DARK = (0xF6, 0xF7, 0xF9), (0x0E, 0x14, 0x1C)
"""The backgrounds of the style sheet."""

EVIL = "<script>document.title='owned'</script><img/src=http://127.0.0.1:9/x.png/onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = evaluated(2_500)
    texts = {
        field: [f"{line.split(' ', 1)[0]}{EVIL} {line.split(' ', 1)[1]}" for line in lines]
        for field, lines in data.texts.items()
    }
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(evaluation_page(data.report, data.outputs, texts, title="Sample", worst=12), encoding="utf-8")
    return path


def shown(visit: Visit) -> list[bool]:
    return [system.is_visible() for system in visit.page.locator("section.system").all()]


def test_the_script_runs_and_nothing_is_requested(browser: Chromium, page: Path) -> None:
    seen = browser.open(page)
    assert seen.page.locator("html").get_attribute("class") == "js"
    assert shown(seen) == [True, False]
    assert seen.page.title() == "Sample"
    assert seen.console == []
    assert seen.requests == []


def test_a_link_to_a_system_and_to_words(browser: Chromium, page: Path) -> None:
    seen = browser.open(f"{page.as_uri()}#system=2&filter=die")
    assert shown(seen) == [False, True]
    n_left = int(seen.page.locator("output").nth(1).inner_text().removesuffix(" of 12"))
    assert seen.page.locator("#segments-1 .segment").count() == 12
    assert seen.shown("#segments-1 .segment") == n_left
    assert 0 < n_left < 12
    assert seen.console == []


def test_a_visit_reports_messages_and_requests(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        '<script>console.error("no"); fetch("http://127.0.0.1:9/a")</script><img src="http://127.0.0.1:9/b">'
    )
    seen = browser.open(path)
    assert "no" in seen.console
    assert sorted(seen.requests) == ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]


def test_choosing_and_filtering_by_hand(browser: Chromium, page: Path) -> None:
    seen = browser.open(page, width=390)
    assert seen.width <= 390  # nothing sticks out
    assert (seen.shown(".system"), seen.shown(".segment")) == (1, 12)
    seen.page.select_option("#beside", "1")
    assert seen.shown(".system") == 2
    assert seen.width <= 390
    seen.page.select_option("#beside", "")
    seen.page.select_option("#system", "1")
    box = seen.page.locator(".filter-box").nth(1)
    first = seen.page.locator("#segments-1 .segment").first
    line = first.locator(".text").nth(1).inner_text()
    found = []
    for sought in (f"#{first.get_attribute('data-number')}", "no such word", "", " ".join(line.split()[-2:])):
        box.fill(sought)
        found.append(seen.shown(".segment"))
    assert found[0] >= 1
    assert found[1:3] == [0, 12]
    assert 1 <= found[3] < 12  # two adjacent words, between which there are gaps
    with seen.page.expect_download() as download:
        seen.page.locator("button.csv").filter(visible=True).click()
    assert len(download.value.path().read_text("utf-8-sig").splitlines()) == 13
    assert seen.console == []


@pytest.mark.parametrize(
    ("width", "background", "is_dark"), [(1280, LIGHT, False), (400, LIGHT, False), (400, DARK, True)]
)
def test_the_light_and_the_dark_look(
    browser: Chromium, page: Path, width: int, background: tuple[int, int, int], is_dark: bool
) -> None:
    colours = browser.colours(browser.open(page, width=width, height=700, dark=is_dark))
    assert len(colours) > 100
    assert 0.05 < colours[background] < 0.9
