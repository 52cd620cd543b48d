# ruff: noqa: E501  (documents as tools write them)
"""XLIFF 2.0, 2.1 and 2.2: everything but the scores stays as it was."""

from __future__ import annotations

import pytest
from lxml import etree

from kiwi.data.documents.rating import Rating
from kiwi.exceptions import DataError
from tests.data.documents.test_xliff_1 import HEAD, NOTHING, PLAIN, rated
from tests.documents import copied

DOCUMENT = """<?xml version="1.0"?>
<xliff xmlns="urn:oasis:names:tc:xliff:document:{namespace}" xmlns:mtc="urn:oasis:names:tc:xliff:matches:2.0" \
version="{version}" srcLang="en" trgLang="de"{head}>
  <file id="f1">
    <unit id="1" name="menu"{first}>
      <mtc:matches>
        <mtc:match ref="#m1"{match}><source>Close window</source><target>Fenster schließen</target></mtc:match>
        <mtc:match ref="#m1" matchQuality="{again}"><source>Close</source><target>Zu</target></mtc:match>
      </mtc:matches>
      <notes><note>short</note></notes>
      <originalData><data id="d1">&lt;b&gt;</data></originalData>
      <segment{state}>
        <source><mrk id="m1" type="mtc:match">Close the <pc id="1">window</pc></mrk><ph id="2"/>,<cp hex="0001"/> please</source>
        <target>Schließen Sie <pc id="1">das  Fenster</pc><ph id="2"/></target>
      </segment>
    </unit>
    <unit id="2">
      <segment id="s1"><source>One.</source><target>{open1}<ph id="9"/>Eins.{close}</target></segment>
      <ignorable><source> </source><target> </target></ignorable>
      <segment id="s2" state="{final}"{substate}><source>Two.</source><target>{open2}Zwei drei.{close}</target></segment>
      <segment id="s3"><source>Three.</source></segment>
    </unit>
    <unit id="3"><segment><source>Not yet</source></segment></unit>
    <unit id="4" translate="no"><segment><source>KIWI</source><target>KIWI</target></segment></unit>
  </file>
  <file id="f2"><unit id="1"{last}><segment{state}><source>again</source><target>wieder</target></segment></unit></file>
</xliff>
"""
PLACES = ("head", "first", "match", "state", "substate", "last", "open1", "open2", "close")
BEFORE = dict.fromkeys(PLACES, "") | {"again": "50", "final": "final"}


def around(number: int, score: str) -> str:
    return f'<mrk id="kiwi-{number}" type="its:generic"{rated(score)}>'


@pytest.mark.parametrize(("version", "namespace"), [("2.0", "2.0"), ("2.1", "2.0"), ("2.2", "2.2")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_only_scores_are_added(version: str, namespace: str, encoding: str) -> None:
    names = {"version": version, "namespace": namespace}
    found = copied(DOCUMENT.format(**names | BEFORE).encode(encoding))
    expected = BEFORE | {
        "head": HEAD,
        "first": rated("0.4"),
        "match": ' matchQuality="0.2"',
        "again": "0.1",
        "last": rated("0.1"),
        "open1": around(1, "0.1"),
        "open2": around(2, "0.2"),
        "close": "</mrk>",
    }
    assert found.content.decode(encoding) == DOCUMENT.format(**names | expected)
    assert found.pairs == [
        ("Close the window, please", "Schließen Sie das Fenster"),
        ("Close the window, please", "Fenster schließen"),
        ("Close the window, please", "Zu"),
        ("One.", "Eins."),
        ("Two.", "Zwei drei."),
        ("again", "wieder"),
    ]
    assert found.n_without_target == 1
    assert copied(found.content).content == found.content
    etree.fromstring(found.content)


def test_states() -> None:
    rating = Rating("", 0.3, False, True)
    names = {"version": "2.1", "namespace": "2.0"}
    text = copied(DOCUMENT.format(**names | BEFORE), rating=rating).text
    mark = ' state="translated" subState="kiwi:needs-review-translation"'
    assert text.count(mark) == 1
    assert f"<segment{mark}>\n" in text
    text = copied(DOCUMENT.format(**names | BEFORE), rating=Rating("", 0.15, False, True)).text
    assert f'<segment id="s2"{mark}>' in text


def test_identifiers_that_are_taken_and_prefixes() -> None:
    names = {"version": "2.1", "namespace": "2.0"}
    text = copied(DOCUMENT.format(**names | BEFORE).replace('<ph id="9"/>', '<ph id="kiwi-1"/>')).text
    assert '<target><mrk id="kiwi-2" type="its:generic"' in text
    content = DOCUMENT.format(**names | BEFORE).replace("<", "<x:").replace("<x:/", "</x:").replace("<x:?", "<?")
    content = content.replace("x:mtc:", "mtc:").replace("xmlns=", "xmlns:x=")
    found = copied(content)
    assert len(found.segments) == 6
    assert '<x:target><x:mrk id="kiwi-1"' in found.text
    assert "Eins.</x:mrk></x:target>" in found.text
    etree.fromstring(found.content)


def test_ids_and_versions() -> None:
    content = DOCUMENT.format(version="2.1", namespace="2.0", **BEFORE)
    with pytest.raises(DataError, match="line 22: found a second unit with the id '2'; expected each id once"):
        copied(content.replace('<unit id="3">', '<unit id="2">'))
    with pytest.raises(
        DataError, match=r"found the root element <xliff>, version '3.0'; expected <xliff> of version 1"
    ):
        copied(content.replace('version="2.1"', 'version="3.0"'))
    assert copied(PLAIN.format(**NOTHING)).segments
