"""Which segment of XLIFF 2 a candidate is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.post_edits.test_units import machine, units

DOCUMENT = """<xliff version="2.0" srcLang="en" trgLang="de" xmlns="urn:oasis:names:tc:xliff:document:2.0"
xmlns:mtc="urn:oasis:names:tc:xliff:matches:2.0"><file id="f"><unit id="u">
<mtc:matches><mtc:match type="mt" {}<target>mt</target></mtc:match></mtc:matches>
<segment {}><source>{}</source><target>Hallo <pc id="1">Welt</pc>.</target></segment></unit></file></xliff>"""
TERM = 'Hello <mrk id="m" type="term">world</mrk>.'
SECOND = '<segment id="s2"><source>Two</source><target>Zwei</target></segment>'


@pytest.mark.parametrize(
    ("match", "expected", "with_second"),
    [
        ('ref="#m"><source>world</source>', "no candidate", "no candidate"),
        ('ref="#u=u/m"><source>world</source>', "no candidate", "no candidate"),
        ('ref="#t=1"><source>world</source>', "no candidate", "no candidate"),
        ('ref="#m"><source>Hello world<ph id="9"/>.</source>', "+mt", "+mt"),
        ('ref="#m">', "no candidate", "no candidate"),
        ('ref="#s"><source>Hello</source>', "+mt", "+mt"),
        ('ref="#u"><source>Hello</source>', "+mt", "no candidate"),
        ('ref="#/f=f/u=u"><source>Hello</source>', "+mt", "no candidate"),
        ('ref="#lost"><source>Hello</source>', "+mt", "no candidate"),
        ("><source>Hello worlds.</source>", "+mt", "no candidate"),
        ('ref="#lost">', "+mt", "no candidate"),
    ],
)
def test_a_candidate_for_a_part_of_a_segment_is_not_for_the_segment(
    match: str, expected: str, with_second: str, tmp_path: Path
) -> None:
    content = DOCUMENT.format(match, 'id="s"', TERM)
    (only,) = units(tmp_path, content)
    assert machine(only) == expected
    first, _ = units(tmp_path, content.replace("</unit>", f"{SECOND}</unit>"))
    assert machine(first) == with_second


@pytest.mark.parametrize(
    ("identifier", "source", "match", "with_second"),
    [
        ('id="s"', '<mrk id="m">Caf\u00e9.</mrk>', ("m", "Cafe\u0301."), "+mt"),
        ('id="s"', "Caf\u00e9  there.", ("", "Cafe\u0301 there."), "+mt"),
        ('id="s"', '<mrk id="m">Hello <pc id="1">world</pc>.</mrk>', ("m", "Hello {1}world{2}."), "+mt"),
        ('id="s"', '<sm id="m"/>Hello <sc id="1"/>world<ec startRef="1"/>.<em startRef="m"/>', ("m", "Hello"), "+mt"),
        ("", 'Hello <pc id="1">world</pc>.', ("1", "Hello {1}world{2}."), "no candidate"),
        ("", 'Hello <sc id="1"/>world<ec startRef="1"/>.', ("1", "Hello {1}world{2}."), "no candidate"),
        ("", 'Hello <ph id="1"/>world.', ("1", "Hello {1}world."), "no candidate"),
    ],
)
def test_a_candidate_whose_source_is_written_otherwise_is_for_the_segment(
    identifier: str, source: str, match: tuple[str, str], with_second: str, tmp_path: Path
) -> None:
    reference = f'ref="#{match[0]}"' if match[0] else ""
    content = DOCUMENT.format(f"{reference}><source>{match[1]}</source>", identifier, source)
    (only,) = units(tmp_path, content)
    assert machine(only) == "+mt"
    first, second = units(tmp_path, content.replace("</unit>", f"{SECOND}</unit>"))
    assert (machine(first), machine(second)) == (with_second, "no candidate")


@pytest.mark.parametrize(
    ("part", "reference"),
    [
        ('<sm id="m"/>world<em startRef="m"/>', "m"),
        ('<mrk id="m">the <mrk id="n">world</mrk></mrk>', "n"),
        ('<pc id="1">world</pc>', "1"),
        ('<sc id="1"/>world<ec startRef="1"/>', "1"),
    ],
)
def test_a_candidate_for_an_element_around_a_part_is_not_for_the_segment(
    part: str, reference: str, tmp_path: Path
) -> None:
    match = f'ref="#{reference}"><source>world</source>'
    (found,) = units(tmp_path, DOCUMENT.format(match, 'id="s"', f"Hello {part}."))
    assert machine(found) == "no candidate"
