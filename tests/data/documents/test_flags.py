"""Flags in documents, and the estimates of Trados: added, replaced and removed, with everything else as it was."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lxml.etree
import polib
import pytest

from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.data.documents.parts import Segment
from kiwi.data.documents.rating import COMMON_SCALE, Rating
from kiwi.data.flags import COLUMN
from kiwi.lib.score.flagging import Flagger

XLIFF1 = """<?xml version="1.0"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en" target-language="ru" original="a" datatype="x"><body>
<trans-unit id="1">
  <source>Click <g id="1">Save</g> 12 times now.</source>
  <target>Click Save 13 times now.</target>
  <note from="anna">flags: none</note>
  <alt-trans><target>Сохранить 12</target></alt-trans>
</trans-unit>
<trans-unit id="2">
  <source>A 10. B 20.</source>
  <seg-source><mrk mtype="seg" mid="a">A 10.</mrk> <mrk mtype="seg" mid="b">B 20.</mrk></seg-source>
  <target><mrk mtype="seg" mid="a">А 11.</mrk> <mrk mtype="seg" mid="b">Б 20.</mrk></target>
</trans-unit>
<trans-unit id="3"><source>Fine <x id="1"/>.</source><target>Хорошо <x id="1"/>.</target></trans-unit>
</body></file></xliff>
"""
XLIFF2 = """<xliff version="2.1" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang="en" trgLang="de"><file id="f">
<unit id="1">
  <segment><source>I have <ph id="1"/> 10.</source><target>Ich habe 11.</target></segment>
</unit>
<unit id="2">
  <notes>
    <note>hi</note>
  </notes>
  <segment><source>I have 10.</source><target>Ich habe 10.</target></segment>
  <segment><source>A <pc id="1">10</pc>.</source><target>Ein <pc id="1">11</pc>.</target></segment>
</unit>
</file></xliff>
"""
TMX = """<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en"><seg>Page 10 <ph x="1"/></seg></tuv>
<tuv xml:lang="de">
  <seg>Seite 11</seg></tuv></tu></body></tmx>
"""
PO = """msgid ""
msgstr "Language: de\\nContent-Type: text/plain; charset=UTF-8\\n"

# by hand
msgid "Open %s"
msgstr "Öffnen"

msgid "One file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "Dateien"
"""
DOCUMENTS = {"a.xlf": XLIFF1, "b.xlf": XLIFF2, "a.tmx": TMX, "a.po": PO}


def flagged(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    return [{"sentence_scores": 87.4, COLUMN: Flagger().flag_segment(each)} for each in segments]


def unflagged(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    return [{"sentence_scores": 87.4, COLUMN: []} for each in segments]


def copied(content: bytes | str, name: str, folder: Path, score: Any = flagged, profile: str = COMMON_SCALE) -> bytes:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    output = io.BytesIO()
    how = HowToRead(Rating("sha256:abcdef0123456789", profile=profile))
    require_format(path).copy(path, output, how, score, 100)
    return output.getvalue()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_flags_are_replaced_and_removed(name: str, tmp_path: Path) -> None:
    first = copied(DOCUMENTS[name], name, tmp_path)
    assert copied(first, name, tmp_path) == first
    without = copied(DOCUMENTS[name], name, tmp_path, unflagged)
    assert first != without
    assert copied(first, name, tmp_path, unflagged) == without
    # Without scores and flags, it is the document as it was.
    assert b"kiwi-flags" not in without
    assert b"kiwi flags" not in without


def test_xliff_1(tmp_path: Path) -> None:
    text = copied(XLIFF1, "a.xlf", tmp_path).decode()
    assert text.count("<note from=") == 3
    behind = '</target>\n  <note from="kiwi" annotates="target">'
    assert f"now.{behind}flags: script, numbers, tags</note>\n  <note from=" in text
    assert f"</mrk>{behind}flags: a numbers</note>\n</trans-unit>" in text
    assert "Хорошо" in text
    notes = lxml.etree.fromstring(text.encode()).findall(".//{*}note[@from='kiwi']")
    assert [note.getparent().get("id") for note in notes] == ["1", "2"]


def test_xliff_2(tmp_path: Path) -> None:
    text = copied(XLIFF2, "b.xlf", tmp_path).decode()
    note = '<note category="kiwi-flags" appliesTo="target">flags: '
    assert f"\n  <notes>{note}numbers, tags</note></notes>\n  <segment>" in text
    assert f"<note>hi</note>\n    {note}2 numbers</note>\n  </notes>" in text


def test_tmx_and_po(tmp_path: Path) -> None:
    text = copied(TMX, "a.tmx", tmp_path).decode()
    assert '</prop>\n  <prop type="x-kiwi-flags">numbers, tags</prop>\n  <seg>Seite' in text
    text = copied(PO, "a.po", tmp_path).decode()
    first, second = polib.pofile(text)
    assert first.tcomment == "kiwi score: 87.4\nkiwi flags: tags\nby hand"
    assert second.tcomment == "kiwi score: 87.4 87.4\nkiwi flags: 1 tags"  # a singular may have the number


def test_a_document_in_utf_16(tmp_path: Path) -> None:
    wide = XLIFF1.replace('"1.0"?', '"1.0" encoding="UTF-16"?').encode("utf-16")
    found = copied(wide, "w.xlf", tmp_path).decode("utf-16").replace(' encoding="UTF-16"', "")
    assert found == copied(XLIFF1, "a.xlf", tmp_path).decode()


SDLXLIFF = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2" xmlns:sdl="http://sdl.com/FileTypes/Sdl\
Xliff/1.0"><file source-language="en" target-language="de" original="a" datatype="x"><body>
<trans-unit id="1"><source>One. Two.</source>
  <seg-source><mrk mtype="seg" mid="1">One.</mrk> <mrk mtype="seg" mid="2">Two.</mrk></seg-source>
  <target><mrk mtype="seg" mid="1">Eins.</mrk> <mrk mtype="seg" mid="2">Zwei.</mrk></target>
  <sdl:seg-defs><sdl:seg id="1" conf="Draft"/><sdl:seg id="2" conf="Draft">
    <sdl:value key="tqe-score-1">10</sdl:value>
    <sdl:value key="tqe-system-1">other</sdl:value>
  </sdl:seg></sdl:seg-defs>
</trans-unit></body></file></xliff>
"""


def values(content: bytes, segment: str) -> dict[str, str]:
    seg = lxml.etree.fromstring(content).find(f".//{{*}}seg[@id='{segment}']")
    assert seg is not None
    return {each.get("key"): each.text for each in seg}


def test_estimates_of_trados(tmp_path: Path) -> None:
    first = copied(SDLXLIFF, "a.sdlxliff", tmp_path)
    found = values(first, "1")
    assert re.fullmatch(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", found.pop("tqe-evaluated-at-1"))
    assert found == {"tqe-system-1": "kiwi", "tqe-score-1": "87", "tqe-model-1": "abcdef012345"}
    found = values(first, "2")  # that of another system stays
    assert found["tqe-score-1"] == "10"
    assert found["tqe-score-2"] == "87"
    assert b"other</sdl:value>\n    <sdl:value key=" in first
    again = copied(first, "a.sdlxliff", tmp_path, lambda segments: [{"sentence_scores": 5.0} for _ in segments])
    assert values(again, "2")["tqe-score-2"] == "5"
    assert len(again) <= len(first)
    assert b"tqe-score" not in copied(SDLXLIFF.replace("tqe-score-1", "x"), "a.sdlxliff", tmp_path, profile="urn:own")
