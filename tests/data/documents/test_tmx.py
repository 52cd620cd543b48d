# ruff: noqa: E501  (documents as tools write them)
"""TMX: everything but the scores stays as it was."""

from __future__ import annotations

import pytest
from lxml import etree

from kiwi.data.documents.rating import Rating
from kiwi.exceptions import ConfigError, DataError
from tests.documents import copied

MEMORY = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
  <header creationtool="tool" srclang="en" datatype="plaintext" segtype="sentence" adminlang="en" o-tmf="x"/>
  <body>
    <tu tuid="1" creationdate="20200101T000000Z">
      <prop type="x-project">menu</prop>
      <tuv xml:lang="en-US"><seg>Close <bpt i="1">&lt;b&gt;</bpt>the<ept i="1">&lt;/b&gt;</ept> window<ph>{{0}}</ph>.</seg></tuv>
      <tuv xml:lang="DE">
        <prop type="x-mine">1</prop>
        {first}<seg>Schließen <hi>Sie</hi>  das Fenster.</seg>
      </tuv>
    </tu>
    <tu>
      <tuv lang="de">{second}<seg>Eins
  zwei</seg></tuv>
      <tuv lang="en"><seg>One two</seg></tuv>
    </tu>
    <tu><tuv xml:lang="en"><seg>alone</seg></tuv></tu>
    <tu><tuv xml:lang="en"><seg>empty</seg></tuv><tuv xml:lang="de"><seg></seg></tuv></tu>
  </body>
</tmx>
"""


def test_only_scores_are_added() -> None:
    found = copied(MEMORY.format(first="", second=""), "a.tmx")
    first = '<prop type="x-kiwi-score">0.4</prop>\n        '
    second = '<prop type="x-kiwi-score">0.2</prop>'
    assert found.text == MEMORY.format(first=first, second=second)
    assert found.pairs == [("Close the window.", "Schließen Sie das Fenster."), ("One two", "Eins zwei")]
    assert [segment.line for segment in found.segments] == [9, 15]
    assert found.n_without_target == 2
    assert copied(found.content, "a.tmx").content == found.content
    changed = found.text.replace(">0.4</prop>", ">-12.25</prop>")
    assert copied(changed, "a.tmx").content == found.content
    etree.fromstring(found.content)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16(encoding: str) -> None:
    content = MEMORY.format(first="", second="").replace("UTF-8", "UTF-16")
    expected = copied(content.replace("UTF-16", "UTF-8"), "a.tmx").text.replace("UTF-8", "UTF-16")
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    assert copied((mark + content).encode(encoding), "a.tmx", size=1).content == (mark + expected).encode(encoding)


THREE = """<tmx version="1.4"><header srclang="{}"/><body><tu><tuv xml:lang="en"><seg>one</seg></tuv><tuv \
xml:lang="de-AT"><seg>eins</seg></tuv><tuv xml:lang="de-DE"><seg>eins eins</seg></tuv><tuv xml:lang="fr"><seg>un</seg>\
</tuv></tu></body></tmx>"""


@pytest.mark.parametrize(
    ("languages", "pairs"),
    [
        (["en", "fr"], [("one", "un")]),
        (["EN", "de"], [("one", "eins"), ("one", "eins eins")]),
        (["en", "de_DE"], [("one", "eins eins")]),
        (["fr", "en"], [("un", "one")]),
        (["de-AT", "de-DE"], [("eins", "eins eins")]),
        (["en", "ja"], []),
    ],
)
def test_languages(languages: list[str], pairs: list[tuple[str, str]]) -> None:
    found = copied(THREE.format("*all*"), "a.tmx", languages=languages)
    assert found.pairs == pairs
    assert found.text.count("<prop") == len(pairs)


@pytest.mark.parametrize("source", ["en", "*all*", ""])
def test_more_languages_than_two_need_a_choice(source: str) -> None:
    with pytest.raises(ConfigError, match=r"/a\.tmx, line 1: found a unit in de-at, de-de, en, fr, .* Add --languages"):
        copied(THREE.format(source), "a.tmx")


def test_what_is_not_tmx_and_segments_without_a_score() -> None:
    with pytest.raises(DataError, match="found the root element <xliff>; expected <tmx>"):
        copied("<xliff/>", "a.tmx")
    before = MEMORY.format(first="", second="").replace("Schließen", "NOSCORE")
    assert copied(before, "a.tmx", rating=Rating()).text.count("<prop type=") == 3
