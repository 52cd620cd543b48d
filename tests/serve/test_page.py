"""The page of the server in a real browser."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from kiwi.serve.jobs.scoring import AT_ONCE
from kiwi.serve.views.examples import sentences
from tests.browser import Chromium, Visit
from tests.conftest import Corpus
from tests.serve.running import ADMIN, Server

CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb.map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const low = [];
  for (const element of document.querySelectorAll("body *:not(script, option, title)")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !element.checkVisibility({ opacityProperty: true }) || element.closest(".hidden, .tip")) continue;
    const backs = [];
    for (let each = element; each; each = each.parentElement) backs.unshift(getComputedStyle(each).backgroundColor);
    const [back, front] = [over(backs), over([...backs, getComputedStyle(element).color])].map(luminance);
    const ratio = (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
    if (ratio < 4.5) low.push([element.tagName, element.className, ratio.toFixed(2), element.textContent.slice(0, 30)]);
  }
  return low;
}"""
"""Returns the texts whose contrast is below that of AA."""

NAMELESS = """() => ["input, select, textarea, button, a", "[role=img], fieldset, nav, section"]
  .flatMap((selector) => [...document.querySelectorAll(selector)])
  .filter((each) => each.checkVisibility() && !(each.labels?.length || each.getAttribute("aria-label") ||
    each.getAttribute("aria-labelledby") || each.querySelector("legend") || each.textContent.trim()))
  .map((each) => each.outerHTML.slice(0, 100))"""
"""Returns the controls, pictures and regions without a name."""


def open_page(browser: Chromium, server: Server, **options: object) -> Visit:
    visit = browser.open(server.url, **options)
    visit.page.fill("#key", ADMIN)
    visit.page.select_option("#model", "text")
    return visit


def test_an_example_is_scored_compared_and_read_by_keyboard(browser: Chromium, server: Server) -> None:
    visit = open_page(browser, server, width=390)
    page = visit.page
    page.select_option("#policy", "safe")
    assert visit.shown(".chip") == 8
    page.get_by_role("button", name="English → Arabic").press("Enter")
    page.locator("#result").wait_for()
    assert page.input_value("#target") == sentences()["ar"].bad
    assert page.locator(".translation").count() == 2
    assert page.locator(".badge.review").count() == 2
    assert "not acceptable" in page.locator(".head").inner_text()
    assert page.locator(".flag").first.inner_text() == "numbers source and translation have different numbers"
    score = page.locator(".score b").first.inner_text()
    label = page.get_by_role("img", name=f"{score} on a scale from 0 to 100, interval ±").first
    assert label.locator(".interval").get_attribute("width") is not None
    assert page.locator("#status").inner_text().startswith(f"Result: {score}, ")
    assert page.locator(".text.target").first.evaluate("(each) => getComputedStyle(each).direction") == "rtl"
    assert visit.width <= 390
    words = page.locator(".translation mark")
    for _ in range(40):  # from the heading of the result
        page.keyboard.press("Tab")
        if words.first.evaluate("(each) => each === document.activeElement"):
            break
    tip = words.first.locator(".tip")
    assert re.fullmatch(r"\((probably|possibly) wrong: \d+%\)", tip.text_content().strip())
    assert tip.evaluate("(each) => getComputedStyle(each).opacity") == "1"
    box = tip.bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= 390, box["height"] > 20) == (True, True, True)
    page.keyboard.press("Escape")
    assert tip.evaluate("(each) => getComputedStyle(each).opacity") == "0"
    words.last.hover()
    assert words.last.locator(".tip").evaluate("(each) => getComputedStyle(each).opacity") == "1"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CONTRAST) == []
    assert page.evaluate(NAMELESS) == []
    assert visit.console == []
    paths = ("", "assets/serve.css", "assets/serve.js", "assets/kiwi.svg")
    assert {address.partition("?")[0] for address in visit.requests} == {f"{server.url}/{path}" for path in paths}
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    page.fill("#key", "wrong")
    page.get_by_role("button", name="Estimate quality").click()
    assert "no valid API key" in page.get_by_role("alert").inner_text()


def test_without_a_script(browser: Chromium, server: Server) -> None:
    page = open_page(browser, server, java_script_enabled=False).page
    page.fill("#source", "The house.\nIt is old.")
    page.fill("#target", "Das Haus.\nEs ist alt.")
    page.get_by_role("button", name="Estimate quality").click()
    assert page.get_by_role("heading", name="2 segments, mean score").count() == 1
    assert page.locator(".segment").count() == 2
    mark = page.locator(".segment mark").first
    mark.focus()
    box = mark.locator(".tip").bounding_box()
    assert box is not None
    assert box["height"] > 20
    assert not page.locator("#file").is_visible()
    assert page.input_value("#key") == ""


def test_languages_of_a_text(browser: Chromium, server: Server) -> None:
    visit = open_page(browser, server)
    page = visit.page
    page.fill("#source", "Close the door before you leave the house.")
    page.fill("#target", "Fermez la porte avant de quitter la maison.")
    page.get_by_label("Languages").first.fill("en, de")
    page.get_by_role("button", name="Estimate quality").click()
    assert page.locator(".flag").inner_text() == "language the translation is not in the target language"
    page.fill("#pair", "en-fr")
    page.get_by_role("button", name="Estimate quality").click()
    page.get_by_role("alert").wait_for()
    expected = "Languages: found 'en-fr'; expected the codes of source and translation, such as en,de."
    assert page.get_by_role("alert").inner_text() == expected
    page.get_by_role("button", name="English → French").click()
    page.locator("#result").wait_for()
    assert page.input_value("#pair") == "en,fr"
    assert [text for text in page.locator(".flag").all_inner_texts() if "language" in text.split()[0]] == []
    page.goto(f"{server.url}/?example=en-fr")
    assert page.input_value("#pair") == "en,fr"


@pytest.fixture
def table(corpus: Corpus, tmp_path: Path) -> Path:
    rows = [
        f"{source[:60]}\t{target[:60]}"
        for name in ("train", "test")
        for source, target in zip(corpus.lines(name, "source"), corpus.lines(name, "target"), strict=True)
    ]
    path = tmp_path / "A b.tsv"
    path.write_text("\n".join(["source\ttarget", *rows[:29], "one 1\teins 2"]) + "\n", encoding="utf-8")
    return path


def numbers(visit: Visit) -> list[float]:
    return [float(text) for text in visit.page.locator("#list .score b").all_inner_texts()]


def test_a_file_is_scored_read_and_downloaded(browser: Chromium, server: Server, table: Path) -> None:
    visit = open_page(browser, server, width=390)
    page = visit.page
    page.get_by_role("tab", name="Text").press("ArrowRight")
    assert page.get_by_role("tab", name="File").get_attribute("aria-selected") == "true"
    page.set_input_files("#upload", table)
    found = page.locator("#found")
    found.wait_for()
    assert page.locator("#job-name").inner_text() == "A b.tsv"
    assert page.locator("#job-state").inner_text() == "Done: 30 segments."
    assert found.inner_text() == "Segments 1 to 20 of 30"
    worst = numbers(visit)
    assert worst == sorted(worst)
    assert len(worst) == 20
    assert page.locator("#list mark").count() > 0
    page.get_by_role("button", name="Next").click()
    found.filter(has_text="Segments 21 to 30 of 30").wait_for()
    assert numbers(visit)[0] >= worst[-1]
    page.get_by_label("Order").select_option("best first")
    found.filter(has_text="Segments 1 to 20 of 30").wait_for()
    best = numbers(visit)
    assert best == sorted(best, reverse=True)
    assert page.locator(".chart rect.shown").count() == 20
    page.get_by_label("from", exact=True).fill("99.5")
    page.get_by_label("Order").select_option("as in the file")
    found.filter(has_text="No segments match").wait_for()
    assert (numbers(visit), page.locator(".chart rect.shown").count()) == ([], 1)
    page.get_by_label("from", exact=True).fill("")
    page.get_by_label("only with flags").check()
    found.filter(has_text=re.compile(r"Segments 1 to \d of \d$")).wait_for()
    assert page.locator(".flag").count() == page.locator("#list .segment").count()
    assert visit.width <= 390
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(NAMELESS) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="Download scored file").click()
    assert download.value.suggested_filename == "A b.scored.tsv"
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 31
    assert "sentence_scores (0-100, higher is better)" in lines[0]
    with page.expect_response(lambda response: response.request.method == "DELETE") as removed:
        page.get_by_role("button", name="Remove, and score another").click()
    assert removed.value.status == 204
    assert page.locator("#drop").is_visible()
    assert visit.console == []


def test_the_bar_shows_how_much_of_a_file_is_scored(browser: Chromium, server: Server, table: Path) -> None:
    page = open_page(browser, server).page
    bar, shown = page.locator("#progress"), page.locator("#job-state")
    may_go, store = threading.Event(), server.service.jobs
    try:
        for _ in range(AT_ONCE):  # so that the file waits, while the test tells its states
            server.service.job_scorer._pool.submit(may_go.wait, 60)
        page.set_input_files("#upload", table)
        shown.filter(has_text="Waiting …").wait_for()
        (place,) = store._directory.iterdir()
        job = store.find(place.name)
        assert job is not None
        for segments, total, text, position in (
            (0, None, "Counting the segments …", -1),
            (0, 3000, "0 of 3,000 segments scored (0%)", 0),
            (1999, 3000, "1,999 of 3,000 segments scored (66%)", 1999 / 3000),
        ):
            store.update(replace(job, state="running", segments=segments, total=total))
            shown.filter(has_text=text).wait_for()
            assert bar.evaluate("(bar) => bar.position") == pytest.approx(position)
    finally:
        may_go.set()
    shown.filter(has_text="Done: 30 segments.").wait_for()
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.get_by_role("button", name="Remove, and score another").click()


def test_a_file_that_is_dropped_and_cannot_be_scored(browser: Chromium, server: Server) -> None:
    visit = open_page(browser, server)
    data = visit.page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["a\\tb\\nc\\td\\n"], "bad.tsv"));
          return data;
        }"""
    )
    visit.page.dispatch_event("body", "dragover", {"dataTransfer": data})
    assert visit.page.locator("#drop.over").count() == 1
    visit.page.dispatch_event("body", "drop", {"dataTransfer": data})
    alert = visit.page.get_by_role("alert").inner_text()
    assert "bad.tsv" in alert
    assert "source" in alert
    visit.page.wait_for_function("!document.querySelector('#drop').hidden")
