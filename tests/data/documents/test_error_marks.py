# ruff: noqa: E501  (documents as tools write them)
"""Error spans in XLIFF."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings, strategies as st
from lxml import etree

from kiwi.data.documents.inline import place_of, read_nodes, wrapped
from kiwi.data.documents.marks.its import annotators
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.xliff_1 import CODES
from kiwi.data.labels.error_spans import SEVERITIES, ErrorSpan
from tests.documents import copied

RATING = Rating("sha256:1f", has_spans=True)

ISSUE = (
    'its:locQualityIssueType="{kind}" its:locQualityIssueComment="{severity}, with a confidence of {sure}" '
    'its:locQualityIssueSeverity="{value}" its:locQualityIssueProfileRef="urn:x-kiwi:profile:error-spans"'
)


def issue(severity: str, sure: str = "1.00", kind: str = "uncategorized") -> str:
    value = {"minor": 10, "major": 50, "critical": 100}[severity]
    return ISSUE.format(kind=kind, severity=severity, sure=sure, value=value)


def in_xliff_1(target: str, encoding: str = "utf-8") -> str:
    return f"""<?xml version="1.0" encoding="{encoding}"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file original="a" source-language="en" target-language="de" datatype="html"><body>
<trans-unit id="1"><source>x</source><target>{target}</target><note>n</note></trans-unit>
</body></file></xliff>"""


def in_xliff_2(target: str) -> str:
    return f"""<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" srcLang="en" trgLang="de"><file id="f">
<unit id="1"><notes><note>n</note></notes><segment><source>x</source><target>{target}</target></segment></unit>
</file></xliff>"""


def always(*spans: ErrorSpan) -> Callable[[str], Sequence[ErrorSpan]]:
    return lambda text: spans


def marked(document: str, *spans: ErrorSpan) -> str:
    """The element of the translation in a copy."""
    found = copied(document, rating=RATING, spans=always(*spans)).text
    etree.fromstring(found.encode())
    return found.partition("<target>")[2].partition("</target>")[0]


def one(severity: str = "minor") -> str:
    return f'<mrk mtype="x-its" {issue(severity)}>'


@pytest.mark.parametrize(
    ("target", "spans", "expected"),
    [
        ("Das ist gut.", [], "Das ist gut."),
        ("Das ist gut.", [ErrorSpan(4, 7, "minor")], f"Das {one()}ist</mrk> gut."),
        # Positions are those of the text, with its spaces and line ends, not of its markup.
        ("\n <g id='1'>Das</g>  ist", [ErrorSpan(7, 10, "minor")], f"\n <g id='1'>Das</g>  {one()}ist</mrk>"),
        ("a &amp;&#x26; b", [ErrorSpan(2, 4, "minor")], f"a {one()}&amp;&#x26;</mrk> b"),
        (
            "<!-- x --><ph id='1'>code</ph>ab",
            [ErrorSpan(1, 2, "minor")],
            f"<!-- x --><ph id='1'>code</ph>a{one()}b</mrk>",
        ),
        # Elements are enclosed as a whole, or marked in parts.
        ("a <g id='1'>b</g> c", [ErrorSpan(0, 5, "minor")], f"{one()}a <g id='1'>b</g> c</mrk>"),
        ("a <g id='1'>bc</g> d", [ErrorSpan(0, 3, "minor")], f"{one()}a </mrk><g id='1'>{one()}b</mrk>c</g> d"),
        ("a<x id='1'/>b", [ErrorSpan(0, 2, "minor")], f"{one()}a<x id='1'/>b</mrk>"),
        ("a<x id='1'/>b", [ErrorSpan(0, 1, "minor")], f"{one()}a</mrk><x id='1'/>b"),
        ("a<![CDATA[<b>]]>c", [ErrorSpan(2, 3, "minor")], f"a{one()}<![CDATA[<b>]]></mrk>c"),
        # Nested and crossing.
        ("abcd", [ErrorSpan(1, 2, "major"), ErrorSpan(0, 4, "minor")], f"{one()}a{one('major')}b</mrk>cd</mrk>"),
        ("abcd", [ErrorSpan(0, 2, "major"), ErrorSpan(0, 4, "minor")], f"{one()}{one('major')}ab</mrk>cd</mrk>"),
        ("abcd", [ErrorSpan(2, 4, "major"), ErrorSpan(0, 4, "minor")], f"{one()}ab{one('major')}cd</mrk></mrk>"),
        (
            "abcd",
            [ErrorSpan(0, 3, "major"), ErrorSpan(1, 4, "minor")],
            f"{one('major')}a{one()}bc</mrk></mrk>{one()}d</mrk>",
        ),
    ],
)
def test_marks_in_xliff_1(target: str, spans: list[ErrorSpan], expected: str) -> None:
    assert marked(in_xliff_1(target), *spans) == expected


def test_omissions_are_empty_elements() -> None:
    missing = f'<mrk mtype="x-its" {issue("major", "0.50", "omission")}/>'
    spans = [ErrorSpan(2, 2, "major", 0.5), ErrorSpan(2, 4, "minor"), ErrorSpan(0, 2, "minor")]
    assert marked(in_xliff_1("abcd"), *spans) == f"{one()}ab</mrk>{missing}{one()}cd</mrk>"
    assert marked(in_xliff_1("ab"), ErrorSpan(2, 2, "major", 0.5)) == f"ab{missing}"
    assert marked(in_xliff_1("<g id='1'>ab</g>"), ErrorSpan(1, 1, "major", 0.5)) == f"<g id='1'>a{missing}b</g>"


def test_several_errors_of_one_span_are_a_list() -> None:
    spans = always(ErrorSpan(0, 2, "minor", 0.5), ErrorSpan(0, 2, "major"))
    items = f"<its:locQualityIssue {issue('minor', '0.50')}/><its:locQualityIssue {issue('major')}/>".replace(
        " its:", " "
    )
    listed = f'<its:locQualityIssues xml:id="kiwi-errors-1">{items}</its:locQualityIssues>'
    found = copied(in_xliff_1("abc"), rating=RATING, spans=spans).text
    reference = '<target><mrk mtype="x-its" its:locQualityIssuesRef="#kiwi-errors-1">ab</mrk>c</target><note>n</note>'
    assert f"{reference}{listed}</trans-unit>" in found
    assert (
        'its:annotatorsRef="localization-quality-rating|urn:x-kiwi:system:sha256:1f localization-quality-issue|urn'
        in found
    )
    found = copied(in_xliff_2("abc"), rating=RATING, spans=spans).text
    assert f">{listed}<notes>" in found
    assert (
        '<target><mrk id="kiwi-1" type="its:generic" its:locQualityIssuesRef="#its=kiwi-errors-1">ab</mrk>c</target>'
        in found
    )


def test_marks_in_xliff_2() -> None:
    spans = [ErrorSpan(0, 1, "minor"), ErrorSpan(2, 4, "major")]
    first, second = (
        f'<mrk id="kiwi-{number}" type="its:generic" {issue(severity)}>'
        for number, severity in ((1, "minor"), (3, "major"))
    )
    found = marked(in_xliff_2('a<cp hex="0001"/>b<mrk id="kiwi-2" type="term">c</mrk>'), *spans)
    assert found == f'{first}a</mrk><cp hex="0001"/>{second}b<mrk id="kiwi-2" type="term">c</mrk></mrk>'


def test_marks_within_the_scores_of_several_segments() -> None:
    document = in_xliff_2("ab").replace("</unit>", "<segment><source>y</source><target>cd</target></segment></unit>")
    found = copied(document, rating=RATING, spans=always(ErrorSpan(0, 2, "minor"))).text
    etree.fromstring(found.encode())
    for number, text in ((1, "ab"), (3, "cd")):
        score = f'<target><mrk id="kiwi-{number}" type="its:generic" its:locQualityRatingScore="0.1" '
        assert score in found
        assert f'<mrk id="kiwi-{number + 1}" type="its:generic" {issue("minor")}>{text}</mrk></mrk></target>' in found


def test_marks_in_segments_of_xliff_1() -> None:
    document = in_xliff_1('<mrk mtype="seg" mid="1">Eins.</mrk> <mrk mtype="seg" mid="2">Zwei.</mrk>').replace(
        "<source>x</source>",
        '<source>x y</source><seg-source><mrk mtype="seg" mid="1">x</mrk> <mrk mtype="seg" mid="2">y</mrk></seg-source>',
    )
    found = marked(document, ErrorSpan(0, 4, "minor"))
    for text in ("Eins", "Zwei"):
        assert f">{one()}{text}</mrk>.</mrk>" in found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252"])
def test_marks_in_other_encodings(encoding: str) -> None:
    document = in_xliff_1("schön &amp; gut", encoding).encode(encoding)
    found = copied(document, rating=RATING, spans=always(ErrorSpan(6, 7, "minor"))).content
    assert f"<target>schön {one()}&amp;</mrk> gut</target>" in found.decode(encoding)


MANY = [
    [ErrorSpan(0, 2, "minor")],
    [ErrorSpan(0, 2, "minor"), ErrorSpan(0, 2, "major")],
    [ErrorSpan(0, 1, "major", 0.5), ErrorSpan(1, 3, "minor"), ErrorSpan(3, 3, "major", 0.25)],
    [ErrorSpan(0, 0, "critical"), ErrorSpan(1, 2, "minor"), ErrorSpan(0, 3, "major")],
    [],
]


@pytest.mark.parametrize("make", [in_xliff_1, in_xliff_2])
@pytest.mark.parametrize("before", MANY)
@pytest.mark.parametrize("spans", MANY)
@pytest.mark.parametrize("target", ["abc", "a<g id='7'>b</g>c", "<mrk id='t' mtype='protected'>abc</mrk>"])
def test_new_marks_replace_those_of_before(
    make: Callable[[str], str], before: list[ErrorSpan], spans: list[ErrorSpan], target: str
) -> None:
    earlier = copied(make(target), rating=RATING, spans=always(*before)).text
    assert (
        copied(earlier, rating=RATING, spans=always(*spans)).text
        == copied(make(target), rating=RATING, spans=always(*spans)).text
    )
    scores_alone = Rating("sha256:1f")  # which have no marks, but none of other scores either
    assert copied(earlier, rating=scores_alone).text == copied(make(target), rating=scores_alone).text


def test_marks_of_edited_texts_and_of_other_tools() -> None:
    once = copied(in_xliff_1("abc"), rating=RATING, spans=always(ErrorSpan(0, 2, "minor"))).text
    others = once.replace("ab</mrk>c", 'a<mrk mtype="x-its" its:locQualityIssueSeverity="3">x</mrk>b</mrk> d')
    edited = copied(others, rating=RATING, spans=always(ErrorSpan(1, 5, "major"))).text
    expected = f'a{one("major")}<mrk mtype="x-its" its:locQualityIssueSeverity="3">x</mrk>b d</mrk></target>'
    assert f"<target>{expected}" in edited


@pytest.mark.parametrize("make", [in_xliff_1, in_xliff_2])
def test_marks_of_units_that_are_locked_since(make: Callable[[str], str]) -> None:
    """Their lists of errors would have the names of new ones."""
    spans = always(ErrorSpan(0, 2, "minor"), ErrorSpan(0, 2, "major"))
    unit = "trans-unit" if make is in_xliff_1 else "unit"
    document = make("abc")
    start, end = document.index(f"<{unit} "), document.index(f"</{unit}>") + len(f"</{unit}>")
    second = document[start:end].replace('id="1"', 'id="2"')
    once = copied(document[:end] + second + document[end:], rating=RATING, spans=spans).text
    assert once.count("xml:id") == 2
    locked = once.replace(f'<{unit} id="1"', f'<{unit} translate="no" id="1"')
    found = copied(locked, rating=RATING, spans=spans).text
    etree.fromstring(found.encode())  # which refuses an xml:id that stands twice
    assert found.count("xml:id") == 1
    assert copied(locked, rating=Rating("sha256:1f")).text.count("xml:id") == 0  # scores alone


def test_scores_alone_keep_the_annotator_of_marks_by_other_tools() -> None:
    own, other = "localization-quality-issue|urn:x-kiwi:system:sha256:2e", "localization-quality-issue|urn:tool"
    scores_alone = Rating("sha256:1f")
    assert annotators(f"terminology|urn:t {own}", scores_alone).split()[:-1] == ["terminology|urn:t"]
    assert annotators(other, scores_alone).split()[:-1] == [other]
    assert annotators(other, RATING).split()[-1] == "localization-quality-issue|urn:x-kiwi:system:sha256:1f"


def test_marks_of_segments_without_a_prediction_are_removed() -> None:
    once = copied(in_xliff_2("abc"), rating=RATING, spans=always(ErrorSpan(0, 2, "minor"))).text
    emptied = re.sub("ab</mrk>c</target>", "</mrk></target>", once)
    assert "<target></target>" in copied(emptied, rating=RATING, spans=always()).text


PARTS = st.recursive(
    st.sampled_from(
        ["a", "é ", "&amp;", "&#233;", "\n", "<x id='9'/>", "<!-- - -->", "<![CDATA[<c>]]>", "<ph id='8'>code</ph>"]
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: f"<g id='7'>{''.join(parts)}</g>"),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(PARTS, max_size=6).map("".join), st.data())
def test_marks_enclose_the_text_of_their_span(target: str, data: st.DataObject) -> None:
    content = target.encode()
    root, text = read_nodes(content, 5, "utf-8", CODES)
    tree = etree.fromstring(f"<t>{target}</t>")
    for code in tree.findall(".//ph"):
        code.text = ""
    assert text == etree.tostring(tree, method="text", encoding="unicode")
    starts = data.draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text))), max_size=4))
    spans = [ErrorSpan(*sorted(pair), data.draw(st.sampled_from(SEVERITIES))) for pair in starts]
    for span in spans:
        pieces = [content[start - 5 : end - 5].decode() for start, end in wrapped(root, span.start, span.end)]
        assert [etree.fromstring(f"<t>{piece}</t>") is not None for piece in pieces] == [True] * len(pieces)
        assert 5 <= place_of(root, span.start) <= 5 + len(content)
    if text.strip():
        found = copied(in_xliff_1(target), rating=RATING, spans=always(*spans)).text
        etree.fromstring(found.encode())
        if "CDATA" not in target:
            covered = {place for span in spans for place in range(span.start, span.end)}
            assert _marked_places(found) == covered


def _marked_places(document: str) -> set[int]:
    """The positions in the translation that lie within a mark."""
    found: set[int] = set()
    size = 0

    def walk(element: etree._Element, inside: bool) -> None:
        nonlocal size
        is_mark = etree.QName(element).localname == "mrk" if isinstance(element.tag, str) else False
        is_code = not isinstance(element.tag, str) or etree.QName(element).localname == "ph"

        def take(text: str | None, covered: bool) -> None:
            nonlocal size
            found.update(range(size, size + len(text or "")) if covered else ())
            size += len(text or "")

        take("" if is_code else element.text, inside or is_mark)
        for child in element:
            walk(child, inside or is_mark)
            take(child.tail, inside or is_mark)

    target = etree.fromstring(document.encode()).find(".//{*}target")
    assert target is not None
    walk(target, False)
    return found
