"""The page in a real browser."""

from __future__ import annotations

import re
import struct
import zlib
from html import escape

import numpy as np
import pytest

from kiwi.pages.evaluation import evaluation_page
from tests.pages.browser import read_png, screenshot, visit
from tests.pages.corpus import evaluated

LIGHT, DARK = (0xF6, 0xF7, 0xF9), (0x0E, 0x14, 0x1C)
"""The backgrounds of the style sheet."""

EVIL = "<script>document.title='owned'</script><img/src=http://127.0.0.1:9/x.png/onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def html():
    data = evaluated(2_500)
    texts = {
        field: [f"{line.split(' ', 1)[0]}{EVIL} {line.split(' ', 1)[1]}" for line in lines]
        for field, lines in data.texts.items()
    }
    return evaluation_page(data.report, data.outputs, texts, title="Sample", worst=12)


@pytest.fixture(scope="module")
def page(html, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


def hidden(dom):
    return [" hidden" in tag for tag in re.findall(r'<section class="system"[^>]*>', dom)]


def test_the_script_runs_and_nothing_is_requested(page, tmp_path):
    seen = visit(page, tmp_path)
    assert '<html lang="en" class="js">' in seen.dom
    assert hidden(seen.dom) == [False, True]
    assert "<title>Sample</title>" in seen.dom
    assert seen.console == []
    assert seen.requests == []


def test_a_link_to_a_system_and_to_words(page, tmp_path):
    seen = visit(page, tmp_path, "#system=2&filter=die")
    assert hidden(seen.dom) == [True, False]
    n_left = int(re.findall(r"<output>(\d+) of 12</output>", seen.dom)[1])
    second = seen.dom.split('id="segments-1"')[1]
    assert second.count('<li class="segment"') == 12
    assert len(re.findall(r'<li class="segment"[^>]* hidden', second)) == 12 - n_left
    assert 0 < n_left < 12
    assert seen.console == []


def test_a_visit_reports_messages_and_requests(tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        '<script>console.error("no"); fetch("http://127.0.0.1:9/a")</script><img src="http://127.0.0.1:9/b">'
    )
    seen = visit(path, tmp_path)
    assert '"no"' in seen.console[0]
    assert seen.requests == ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]


def test_choosing_and_filtering_by_hand(html, tmp_path):
    # Another page contains this one at the width of a phone; its script uses the controls and measures the result.
    path = tmp_path / "outer.html"
    path.write_text(
        f'<iframe srcdoc="{escape(html)}" style="width: 390px; height: 800px; border: 0"></iframe><pre></pre><script>'
        """
        document.querySelector("iframe").onload = ({target}) => {
          const page = target.contentDocument, picker = page.getElementById("system");
          const all = (selector) => [...page.querySelectorAll(selector)];
          const shown = (selector) => all(selector).filter((each) => each.checkVisibility()).length;
          const done = [page.documentElement.scrollWidth, shown(".system"), shown(".segment")];
          const beside = page.getElementById("beside");
          beside.value = "1";
          beside.dispatchEvent(new Event("change"));
          done.push(shown(".system"), page.documentElement.scrollWidth);
          beside.value = "";
          beside.dispatchEvent(new Event("change"));
          picker.value = "1";
          picker.dispatchEvent(new Event("change"));
          const box = page.querySelectorAll(".filter-box")[1];
          const first = page.querySelector("#segments-1 .segment").dataset.number;
          const line = all("#segments-1 .segment .text")[1].textContent;
          const two = line.match(/(\\S+)\\s+(\\S+)\\s*$/);
          for (const sought of ["#" + first, "no such word", "", two[1] + " " + two[2]]) {
            box.value = sought;
            box.dispatchEvent(new Event("input"));
            done.push(shown(".segment"));
          }
          let table = "";
          target.contentWindow.Blob = class { constructor(parts) { table = parts.join(""); } };
          target.contentWindow.URL.createObjectURL = () => "#";
          target.contentWindow.HTMLAnchorElement.prototype.click = () => {};
          page.querySelector("#segments-1").previousElementSibling.querySelector(".csv").click();
          done.push(table.trim().split("\\r\\n").length);
          document.querySelector("pre").textContent = done.join(" ");
        };
        </script>""",
        encoding="utf-8",
    )
    seen = visit(path, tmp_path)
    width, systems, segments, together, width_together, *filtered = map(
        int, re.findall(r"<pre>([\d ]+)</pre>", seen.dom)[0].split()
    )
    assert width <= 390  # nothing sticks out
    assert (systems, segments) == (1, 12)
    assert filtered[0] >= 1
    assert (together, width_together <= 390) == (2, True)
    assert filtered[1:3] == [0, 12]
    assert 1 <= filtered[3] < 12  # two adjacent words, between which there are gaps
    assert filtered[4] == 13  # lines of the table of segments
    assert seen.console == []


@pytest.mark.parametrize(
    ("width", "background", "arguments"),
    [(1280, LIGHT, []), (400, LIGHT, []), (400, DARK, ["--force-dark-mode"])],
)
def test_the_light_and_the_dark_look(page, tmp_path, width, background, arguments):
    pixels = screenshot(page, tmp_path, width, 700, *arguments)
    assert pixels.shape == (700, width, 3)
    colours, n = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    assert len(colours) > 100
    shares = {tuple(colour): share for colour, share in zip(colours.tolist(), (n / n.sum()).tolist(), strict=True)}
    assert 0.05 < shares[background] < 0.9


def test_reading_png():
    # One line of each filter: none, left, above, mean, Paeth.
    rows = [
        [0, 9, 9, 9, 5, 6, 7],
        [1, 9, 9, 9, 251, 253, 254],
        [2, 0, 0, 0, 1, 1, 1],
        [3, 5, 5, 5, 0, 0, 0],
        [4, 0, 0, 0, 2, 2, 2],
    ]
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 5, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(map(bytes, rows)))),
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + b"1234" for kind, data in parts
    )
    pixels = read_png(content)
    assert pixels[:, :, 0].tolist() == [[9, 5], [9, 4], [9, 5], [9, 7], [9, 9]]
