"""Links lead somewhere, pages are found from the home page, and commands and their options exist."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kiwi.cli import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob(".github/*.md")])
KINDS = {"tutorials", "how-to", "reference", "explanation"}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the site and repository hosts make them."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each call of kiwi in the shell blocks of a page."""
    for block in blocks(page, "shell"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"[|;>]", line):
                words = shlex.split(part, comments=True)
                if words[:1] == ["kiwi"]:
                    yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            place = (page.parent / path).resolve() if path else page
            assert place.exists(), target
            assert not anchor or anchor in anchors(place), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    for words in commands(page):
        name = " ".join(words[:2]) if " ".join(words[:2]) in group.commands else words[0]
        command = group.commands.get(name) if not name.startswith("-") else group
        assert command is not None, words
        parameters = command.get_params(typer.Context(command))
        known = {"-h", "--help"}.union(*(parameter.opts + parameter.secondary_opts for parameter in parameters))
        given = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z].*", word)}
        assert given <= known, words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_can_be_parsed_and_imports_what_kiwi_has(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "kiwi":
                module = importlib.import_module(node.module)
                for each in node.names:
                    assert hasattr(module, each.name) or importlib.import_module(f"{node.module}.{each.name}")


def test_every_page_is_of_one_kind_and_in_its_index() -> None:
    assert {path.parent.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} == KINDS | {"."}
    for kind in KINDS:
        text = (DOCS / kind / "index.md").read_text(encoding="utf-8")
        listed = re.findall(r"^```\{toctree\}\n:hidden:\n\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[0].split()
        assert set(listed) == {path.stem for path in (DOCS / kind).glob("*.md")} - {"index"}
        assert set(re.findall(r"\]\(([\w-]+)\.md\)", text)) >= set(listed)


def test_every_command_is_on_the_home_page_and_in_the_reference() -> None:
    group: Any = typer.main.get_command(app)
    home = (DOCS / "index.md").read_text(encoding="utf-8")
    reference = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    for name in group.commands:
        assert f"`kiwi {name}`" in home
        assert f".. help:: {name}\n" in reference
