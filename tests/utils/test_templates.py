"""Templates: HTML escapes every value, and Markdown keeps what it quotes in its block."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from jinja2 import UndefinedError, nodes

from kiwi.utils.templates import TEMPLATES, _environment, fenced, render

FOLDER = Path(str(resources.files("kiwi").joinpath(TEMPLATES)))
NAMES = sorted(file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*") if file.is_file())
UNESCAPED = {
    "evaluation.html.jinja": ["style", "script"],
    "evaluation/figure.html.jinja": ["each.svg"],
    "search.html.jinja": ["figure.html"],
    "corpus.html.jinja": ["style", "each.svg"],
    "comparison.html.jinja": ["style", "script"],
    "routing.html.jinja": ["style", "script"],
}
"""The values that kiwi itself writes as markup."""


def test_every_template_is_html_or_markdown() -> None:
    assert "evaluation.html.jinja" in NAMES
    assert [name for name in NAMES if not name.endswith((".html.jinja", ".md.jinja"))] == []


@pytest.mark.parametrize("name", NAMES)
def test_html_is_escaped_and_markdown_is_not(name: str) -> None:
    autoescape = _environment().autoescape
    assert callable(autoescape)
    assert autoescape(name) == (not name.endswith(".md.jinja"))


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".html.jinja")])
def test_no_other_value_bypasses_escaping(name: str) -> None:
    source = (FOLDER / name).read_text(encoding="utf-8")
    tree = _environment().parse(source)
    known = {"safe", "length", "list", "selectattr", "join", "max", "min", "urlencode"}
    assert {node.name for node in tree.find_all(nodes.Filter)} <= known
    assert re.findall(r"\{\{\s*([\w.]+)\s*\|\s*safe\s*\}\}", source) == UNESCAPED.get(name, [])
    assert sum(node.name == "safe" for node in tree.find_all(nodes.Filter)) == len(UNESCAPED.get(name, []))
    assert not list(tree.find_all(nodes.EvalContextModifier))
    # An attribute without quotes would end at the first space of its value.
    assert not re.search(r"=\s*\{[{%]", source)


@pytest.mark.parametrize("name", [None, "new.html.jinja", "new.txt"])
def test_escaping_is_the_default(name: str | None) -> None:
    autoescape = _environment().autoescape
    assert callable(autoescape)
    assert autoescape(name)


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="is undefined"):
        render("evaluation.html.jinja", title="x")


@pytest.mark.parametrize(
    ("text", "fence"),
    [
        ("Permission is granted", "~~~~"),
        ("~~~~\nx\n~~~~", "~~~~~"),
        ("````````\n~~~~~~\n", "~~~~~~~"),
        ("", "~~~~"),
    ],
)
def test_a_text_cannot_close_its_block(text: str, fence: str) -> None:
    assert fenced(text) == f"{fence}text\n{text.strip()}\n{fence}"


def test_jinja_is_loaded_when_something_is_rendered() -> None:
    code = (
        "import sys, kiwi.lib.evaluate, kiwi.systems.manifest.model_card, kiwi.pages.evaluation\n"
        "assert 'jinja2' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
