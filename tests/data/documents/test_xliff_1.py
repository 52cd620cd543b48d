# ruff: noqa: E501  (documents as tools write them)
"""XLIFF 1.2 and its extensions: everything but the scores stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from kiwi.data.documents.rating import Rating
from tests.documents import copied

ITS = "http://www.w3.org/2005/11/its"
HEAD = (
    ' xmlns:its="http://www.w3.org/2005/11/its" its:version="2.0" '
    'its:annotatorsRef="localization-quality-rating|urn:x-kiwi:system:sha256:1f"'
)
PROFILE = 'its:locQualityRatingProfileRef="urn:x-kiwi:scale:system"'


def rated(score: str, threshold: str = "") -> str:
    limit = f' its:locQualityRatingScoreThreshold="{threshold}"' if threshold else ""
    return f' its:locQualityRatingScore="{score}"{limit} {PROFILE}'


PLAIN = """<?xml version="1.0" encoding="UTF-8"?>
<!-- written by hand > -->
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"{head}>
  <file original="menu.html" source-language="en" target-language="de" datatype="html">
    <header><tool tool-id="x" tool-name="editor"/></header>
    <body>
      <group id="g1">
        <trans-unit id='1' xml:space="preserve"{first}>
          <source>Close the <g id="1">window</g><ph id="2">&lt;br&gt;</ph>,&#32;please<x id="3"/>.</source>
          <target state='translated' >Schließen Sie  das
            <g id="1">Fenster</g><ph id="2">&lt;br&gt;</ph>.</target>
          <note>short</note>
        </trans-unit >
      </group>
      <trans-unit id="2"><source>One<x id="1" ctype="lb"/>two &amp; three</source></trans-unit>
      <trans-unit id="3"><source>Empty</source><target/></trans-unit>
      <trans-unit id="4" translate="no"><source>KIWI 3</source><target>KIWI 3</target></trans-unit>
      <trans-unit
        id="5"{fifth}
        ><source>One<x id="1" ctype="lb"/>two &amp; three</source>
        <target><![CDATA[Eins <zwei>]]> &#x26; drei</target>
        <alt-trans origin="mt"{candidate}><source>One</source><target>Eins</target></alt-trans>
        <alt-trans match-quality="{second}" origin="memory"><target>Eins zwei drei vier</target></alt-trans>
      </trans-unit>
    </body>
  </file>
  <file original="b" source-language="en" target-language="de" datatype="html"><body>
    <trans-unit id="1"{last}><source>again</source><target>wieder</target></trans-unit>
  </body></file>
</xliff>
"""
NOTHING = dict.fromkeys(("head", "first", "fifth", "candidate", "last"), "") | {"second": "80%"}


def test_only_scores_are_added() -> None:
    found = copied(PLAIN.format(**NOTHING), size=2)
    assert found.text == PLAIN.format(
        head=HEAD,
        first=rated("0.4"),
        fifth=rated("0.4"),
        candidate=' match-quality="0.1"',
        second="0.4",
        last=rated("0.1"),
    )
    assert found.pairs == [
        ("Close the window, please.", "Schließen Sie das Fenster."),
        ("One two & three", "Eins <zwei> & drei"),
        ("One two & three", "Eins"),
        ("One two & three", "Eins zwei drei vier"),
        ("again", "wieder"),
    ]
    assert [segment.line for segment in found.segments] == [8, 18, 18, 18, 28]
    assert found.n_without_target == 2
    again = copied(found.content)
    assert again.content == found.content, "scores replace those of before"
    assert again.pairs == found.pairs


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "iso-8859-1", "windows-1252"])
def test_every_encoding(encoding: str, line_end: str, size: int) -> None:
    declared = "utf-16" if encoding == "utf-16-be" else encoding.removesuffix("-sig")
    content = PLAIN.format(**NOTHING).replace("UTF-8", declared).replace("\n", line_end)
    expected = copied(content.replace(declared, "UTF-8", 1)).text.replace("UTF-8", declared, 1)
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    found = copied((mark + content).encode(encoding), size=size)
    assert found.content == (mark + expected).encode(encoding)
    assert etree.fromstring(found.content).tag.endswith("}xliff")


def test_characters_beyond_the_basic_plane_before_a_tag_in_utf_16() -> None:
    content = PLAIN.format(**NOTHING).replace("UTF-8", "UTF-16").replace("id='1'", "resname='à😀' id='1'")
    assert "😀' id='1' xml:space=\"preserve\" its:loc" in copied(content.encode("utf-16")).content.decode("utf-16")


@pytest.mark.parametrize(
    ("rating", "marked"),
    [
        (Rating("", 0.3, True, True), [False, True]),
        (Rating("", 0.3, False, True), [True, False]),
        (Rating("", 0.4, True, True), [False, True]),
        (Rating("", 0.05, True, True), [False, False]),
        (Rating("", 0.3, True, False), [False, False]),
        (Rating("", None, True, True), [False, False]),
    ],
)
def test_states(rating: Rating, marked: list[bool]) -> None:
    content = PLAIN.format(**NOTHING).replace("<target>wieder", '<target state="final">wieder')
    text = copied(content, rating=rating).text
    states = [
        "needs-review-translation" if mark else state
        for mark, state in zip(marked, ["translated", "final"], strict=True)
    ]
    assert f"<target state='{states[0]}' >Schließen" in text
    assert f'<target state="{states[1]}">wieder' in text
    limit = f'its:locQualityRatingScoreThreshold="{rating.threshold}"'
    assert text.count(limit) == (3 if rating.threshold is not None else 0)


SDL = """\ufeff<?xml version="1.0" encoding="utf-8"?><xliff xmlns:sdl="http://sdl.com/FileTypes/SdlXliff/1.0" \
xmlns="urn:oasis:names:tc:xliff:document:1.2" version="1.2" sdl:version="1.0"{head}><file original="a.docx" \
datatype="x-sdlfilterframework2" source-language="en-US" target-language="de-DE"><header><reference><internal-file \
form="base64">{base64}</internal-file></reference></header><body><trans-unit id="4f0c"><source>Close it. Now<x id="0"/>.\
</source><seg-source><mrk mtype="seg" mid="1">Close <mrk mtype="x-sdl-deleted" sdl:revid="a">not </mrk>\
<mrk mtype="x-sdl-added" sdl:revid="b">it</mrk>.</mrk> <mrk mtype="seg" mid="2">Now<x id="0"/>.</mrk></seg-source>\
<target{state}><mrk mtype="seg" mid="1"{first}>Schließen Sie <g id="5">es</g>.</mrk> <mrk mtype="seg" mid="2"{second}>\
Jetzt.</mrk></target><sdl:seg-defs><sdl:seg id="1" conf="Draft"><sdl:value key="Hash">1</sdl:value></sdl:seg>\
</sdl:seg-defs></trans-unit></body></file></xliff>"""

MQ = """<xliff xmlns:mq="MQXliff" version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"{head}>
<file original="a" source-language="en" target-language="de" datatype="x-memoq"><body>
<trans-unit id="1" mq:status="Pretranslated" mq:percent="75"{first}><source xml:space="preserve">A <bpt id="1" \
ctype="bold">{{}}</bpt>b<ept id="1">{{}}</ept></source><target xml:space="preserve">A <bpt id="1" ctype="bold">{{}}</bpt>\
b<ept id="1">{{}}</ept></target><mq:minorversions><mq:historical-unit><source>x</source><target>y</target>\
</mq:historical-unit></mq:minorversions></trans-unit>
</body></file></xliff>
"""

MX = """<xliff xmlns:m="http://www.memsource.com/mxlf/2.0" version="1.2" \
xmlns="urn:oasis:names:tc:xliff:document:1.2"{head}>
<file original="a" source-language="en" target-language="de" datatype="x-markdown"><body><group id="0"><context-group \
purpose="location" m:id="7"/><trans-unit id="f:1" m:confirmed="0" m:score="0.87"{first}><source>Hello {{1>you<1}}</source>\
<target>Hallo {{1>du<1}}</target><alt-trans origin="machine-trans"{candidate}><target>Hallo Sie da</target></alt-trans>\
<m:tunit-metadata><m:mark id="1"><m:content>*</m:content></m:mark></m:tunit-metadata></trans-unit></group></body></file>
</xliff>
""".replace("1>", "1&gt;").replace("<1", "&lt;1")

BASE64 = "TWFuIGlz" * 100_000

TOOLS: dict[str, Any] = {
    "sdlxliff": (
        SDL,
        {"base64": BASE64},
        {"first": rated("0.3", "0.2"), "second": rated("0.1", "0.2"), "state": ' state="needs-review-translation"'},
        [("Close it.", "Schließen Sie es."), ("Now.", "Jetzt.")],
    ),
    "mqxliff": (MQ, {}, {"first": rated("0.2", "0.2")}, [("A b", "A b")]),
    "mxliff": (
        MX,
        {},
        {"first": rated("0.2", "0.2"), "candidate": ' match-quality="0.3"'},
        [("Hello {1>you<1}", "Hallo {1>du<1}"), ("Hello {1>you<1}", "Hallo Sie da")],
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_files_of_tools_keep_their_namespaces(tool: str) -> None:
    form, fixed, added, pairs = TOOLS[tool]
    before = form.format(**fixed, **dict.fromkeys(("head", "first", "second", "state", "candidate"), ""))
    rating = Rating("sha256:1f", 0.2, True, True)
    found = copied(before, f"a.{tool}", rating=rating)
    assert found.pairs == pairs
    assert found.text == form.format(**fixed, **({"head": HEAD} | added))
    assert copied(found.content, f"a.{tool}", rating=rating).content == found.content
    etree.fromstring(found.content)


def test_another_prefix_of_its_and_other_annotators() -> None:
    own = ' xmlns:i="http://www.w3.org/2005/11/its" i:annotatorsRef="mt-confidence|http://a/b" i:version="1.0"'
    text = copied(PLAIN.format(**NOTHING | {"head": own})).text
    assert 'i:annotatorsRef="mt-confidence|http://a/b localization-quality-rating|urn:x-kiwi:system:sha256:1f"' in text
    assert text.count("xmlns:i=") == 1
    assert ' i:version="1.0"' in text
    assert ' i:locQualityRatingScore="0.4"' in text
    taken = copied(PLAIN.format(**NOTHING | {"head": ' xmlns:its="urn:of-somebody-else"'})).text
    assert ' its20:locQualityRatingScore="0.4"' in taken
    etree.fromstring(taken.encode())


def test_a_segment_without_a_score() -> None:
    text = copied(PLAIN.format(**NOTHING).replace("wieder", "NOSCORE")).text
    assert '<trans-unit id="1"><source>again' in text


def test_a_prefix_of_the_document() -> None:
    content = PLAIN.format(**NOTHING).replace("<", "<x:").replace("<x:/", "</x:").replace("<x:?", "<?")
    content = content.replace("<x:!", "<!").replace("xmlns=", "xmlns:x=")
    content = content.replace("<x:zwei>", "<zwei>")
    assert copied(content).pairs == copied(PLAIN.format(**NOTHING)).pairs
