# ruff: noqa: E501  (documents as tools write them)
"""Units of files of translators: the machine translation, the post-edit, and what says whether they count."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiwi.data.post_edits.files import stream_segments, stream_units
from kiwi.data.post_edits.units import Unit, choose_machine, is_machine
from kiwi.exceptions import DataError

XLIFF = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2" xmlns:sdl="http://sdl.com/FileTypes/SdlXliff/1.0" xmlns:mq="MQXliff" xmlns:m="http://www.memsource.com/mxlf/2.0">
<file original="a.html" source-language="en-US" target-language="de" datatype="html"><header><tool tool-id="t1" tool-name="DeepL"/></header><body>
{}
</body></file></xliff>"""


def units(place: Path, content: str, name: str = "a.xlf", languages: tuple[str, ...] = ()) -> list[Unit]:
    (place / name).write_text(content, encoding="utf-8")
    return list(stream_units(place / name, languages))


def machine(unit: Unit, wanted: str | None = None) -> str:
    found = choose_machine(unit.candidates, wanted)
    return found if isinstance(found, str) else f"+{found.text}"


def unit(inner: str, attributes: str = "") -> str:
    return XLIFF.format(f'<trans-unit id="1" {attributes}><source>one <g id="1">two</g></source>{inner}</trans-unit>')


TARGET = "<target>eins</target>"


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (TARGET, "no candidate"),
        (f"{TARGET}<alt-trans><target/></alt-trans>", "no candidate"),
        (f'{TARGET}<alt-trans origin="MT"><target>e <x id="1"/>z</target></alt-trans>', "+e z"),
        (f'{TARGET}<alt-trans origin="memory"><target>e</target></alt-trans>', "1 candidate, from memory"),
        (f"{TARGET}<alt-trans><target>e</target></alt-trans>", "+e"),
        (
            f"{TARGET}<alt-trans><target>e</target></alt-trans><alt-trans><target>f</target></alt-trans>",
            "2 candidates, from no origin",
        ),
        (
            f'{TARGET}<alt-trans tool-id="t1"><target>e</target></alt-trans><alt-trans origin="tm" match-quality="99"><target>f</target></alt-trans>',
            "+e",
        ),
        (
            f'{TARGET}<alt-trans><target state-qualifier="leveraged-mt">e</target></alt-trans><alt-trans><target state-qualifier="leveraged-tm">f</target></alt-trans>',
            "+e",
        ),
        (f'{TARGET}<alt-trans alttranstype="reference"><target>e</target></alt-trans>', "1 candidate, from no origin"),
        (
            f'{TARGET}<alt-trans origin="mt" match-quality="40%"><target>e</target></alt-trans><alt-trans origin="mt" match-quality="70%"><target>f</target></alt-trans>',
            "+f",
        ),
        (
            f'{TARGET}<mq:insertedmatch matchtype="1" source="MT / engine" matchrate="0"><source>one two</source><target>e</target></mq:insertedmatch>',
            "+e",
        ),
        (
            f'{TARGET}<mq:insertedmatch matchtype="1" source="Master TM" matchrate="97"><source>one two</source><target>e</target></mq:insertedmatch>',
            "1 candidate, from Master TM",
        ),
    ],
)
def test_the_machine_translation_of_xliff_1(inner: str, expected: str, tmp_path: Path) -> None:
    (found,) = units(tmp_path, unit(inner))
    assert (found.source, found.translation, machine(found)) == ("one two", "eins", expected)
    assert (found.languages, found.columns) == (("en-US", "de"), {"file": "a.html", "id": "1"})


def test_a_wanted_origin(tmp_path: Path) -> None:
    content = unit(
        f'{TARGET}<alt-trans origin="MT A"><target>e</target></alt-trans><alt-trans origin="tm" tool-id="B"><target>f</target></alt-trans>'
    )
    (found,) = units(tmp_path, content)
    assert (machine(found, "mt a"), machine(found, "b")) == ("+e", "+f")
    assert machine(found, "C") == "2 candidates, from MT A, tm/B"


@pytest.mark.parametrize(
    ("attributes", "target", "expected"),
    [
        ("", "", ""),
        ("", 'state="translated"', ""),
        ("", 'state="final"', ""),
        ("", 'state="new"', 'state="new"'),
        ("", 'state="needs-review-translation"', 'state="needs-review-translation"'),
        ('approved="no"', "", 'approved="no"'),
        ('approved="no"', 'state="translated"', ""),
        ('approved="yes"', "", ""),
        ("", 'state-qualifier="leveraged-mt"', 'state-qualifier="leveraged-mt"'),
        ('m:confirmed="0"', "", 'm:confirmed="0"'),
        ('m:confirmed="1"', 'state="new"', ""),
        ('mq:status="Pretranslated"', "", 'mq:status="Pretranslated"'),
        ('mq:status="ManuallyConfirmed"', "", ""),
        ('mq:status="Proofread"', "", ""),
    ],
)
def test_what_nobody_has_confirmed(attributes: str, target: str, expected: str, tmp_path: Path) -> None:
    (found,) = units(tmp_path, unit(f"<target {target}>eins</target>", attributes))
    assert found.unconfirmed == expected


def test_units_that_are_not_to_be_translated(tmp_path: Path) -> None:
    (found,) = units(tmp_path, unit(TARGET, 'translate="no"'))
    assert not found.is_to_translate


SEGMENTED = """<trans-unit id="7"><source>A. B.</source><seg-source><mrk mtype="seg" mid="1">A.</mrk> <mrk mtype="seg" mid="2">B.</mrk></seg-source>
<target><mrk mtype="seg" mid="1">Ä.</mrk> <mrk mtype="seg" mid="2">Be.</mrk></target>{}
<sdl:seg-defs><sdl:seg id="1" conf="Translated"/><sdl:seg id="2" conf="Draft"/></sdl:seg-defs></trans-unit>"""


def test_segments_of_a_unit(tmp_path: Path) -> None:
    by_segment = '<alt-trans mid="1" origin="mt"><target>a</target></alt-trans><alt-trans mid="2" origin="mt"><target>b</target></alt-trans>'
    by_marks = '<alt-trans origin="mt"><target><mrk mtype="seg" mid="1">a</mrk><mrk mtype="seg" mid="2">b</mrk></target></alt-trans>'
    for candidates in (by_segment, by_marks):
        found = units(tmp_path, XLIFF.format(SEGMENTED.format(candidates)), "a.sdlxliff")
        assert [(each.source, each.translation, machine(each)) for each in found] == [
            ("A.", "Ä.", "+a"),
            ("B.", "Be.", "+b"),
        ]
        assert [each.unconfirmed for each in found] == ["", 'conf="Draft"']
        assert [each.columns["id"] for each in found] == ["7#1", "7#2"]


def test_a_candidate_for_all_segments_of_a_unit(tmp_path: Path) -> None:
    content = XLIFF.format(SEGMENTED.format('<alt-trans origin="mt"><target>a b</target></alt-trans>'))
    (found,) = units(tmp_path, content)
    assert (found.source, found.translation, machine(found)) == ("A. B.", "Ä. Be.", "+a b")
    assert found.unconfirmed == 'conf="Draft"'


XLIFF_2 = """<xliff version="2.{}" srcLang="en" trgLang="de" xmlns="urn:oasis:names:tc:xliff:document:2.0" xmlns:mtc="urn:oasis:names:tc:xliff:matches:2.0">
<file id="f" original="a.md"><unit id="u"><mtc:matches>
<mtc:match ref="#m" type="mt" origin="x"><source>One</source><target>eins</target></mtc:match>
<mtc:match ref="#m" type="tm" origin="Google" matchQuality="90"><source>One</source><target>tm</target></mtc:match>
<mtc:match ref="#s2" origin="machine"><source>other</source><target>zwei</target></mtc:match>
<mtc:match ref="#s3" type="tm"><source>other</source><target>drei</target></mtc:match>
</mtc:matches>
<segment id="s1" state="final"><source><mrk id="m" type="mtc:match">One</mrk></source><target>Eins</target></segment>
<segment id="s2" state="initial"><source>Two</source><target>Zwei<ph id="1"/></target></segment>
<segment id="s3"><source>Three</source></segment></unit>
<unit id="v"><mtc:matches><mtc:match ref="#w" type="mt"><source>Four</source><target>vier</target></mtc:match></mtc:matches>
<segment state="translated" subState="kiwi:needs-review-translation"><source>Four</source><target>Vier</target></segment></unit></file></xliff>"""


@pytest.mark.parametrize("version", [0, 1, 2])
def test_xliff_2(version: int, tmp_path: Path) -> None:
    found = units(tmp_path, XLIFF_2.format(version))
    assert [(each.source, each.translation, machine(each)) for each in found] == [
        ("One", "Eins", "+eins"),
        ("Two", "Zwei", "+zwei"),
        ("Three", "", "1 candidate, from tm"),
        ("Four", "Vier", "+vier"),
    ]
    assert [each.unconfirmed for each in found] == [
        "",
        'state="initial"',
        "",
        'subState="kiwi:needs-review-translation"',
    ]
    assert [each.columns["id"] for each in found] == ["u#s1", "u#s2", "u#s3", "v"]
    assert {each.languages for each in found} == {("en", "de")}
    assert machine(found[0], "google") == "+tm"


TMX = """<tmx version="1.4"><header srclang="en"/><body>{}</body></tmx>"""
TUV = '<tuv xml:lang="{}" {}>{}<seg>{}</seg></tuv>'
ENGLISH = TUV.format("en-GB", "", "", "one")


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        (
            TUV.format("de", 'creationid="MT!"', "", "e") + TUV.format("de", 'changeid="anna"', "", "Eins"),
            ("Eins", "+e"),
        ),
        (TUV.format("de-x-mt", "", "", "e") + TUV.format("de", "", "", "Eins"), ("Eins", "+e")),
        (TUV.format("de-AT", "", "", "Eins") + TUV.format("de-x-mt", "", "", "e"), ("Eins", "+e")),
        (
            TUV.format("de", "", '<prop type="x-origin">DeepL</prop>', "e") + TUV.format("de", "", "", "Eins"),
            ("Eins", "+e"),
        ),
        (
            TUV.format("de", "", '<prop type="x-mt">yes</prop>', "e")
            + TUV.format("de", "", '<prop type="x-mt">no</prop>', "Eins"),
            ("Eins", "+e"),
        ),
        (TUV.format("de", "", '<prop type="x-project">Google</prop>', "Eins"), ("Eins", "no candidate")),
        (TUV.format("de", 'creationid="MT!" changeid="anna"', "", "Eins"), ("Eins", "no candidate")),
        (TUV.format("de", 'creationid="MT!"', "", "e"), ("", "+e")),
        (
            TUV.format("de", 'creationid="DeepL"', "", "e")
            + TUV.format("de", 'creationid="DeepL" changeid="anna@google.com"', "", "Eins"),
            ("Eins", "+e"),
        ),
    ],
)
def test_tmx(variants: str, expected: tuple[str, str], tmp_path: Path) -> None:
    (found,) = units(tmp_path, TMX.format(f'<tu tuid="9">{ENGLISH}{variants}</tu>'), "a.tmx")
    assert (found.source, found.translation, machine(found)) == ("one", *expected)
    assert found.columns.get("user", "anna").startswith("anna")


def test_whole_units_of_tmx_may_be_a_machines(tmp_path: Path) -> None:
    german = TUV.format("de", "", "", "eins")
    content = TMX.format(
        f'<tu creationid="MT!">{ENGLISH}{german}</tu><tu><prop type="x-domain">machine</prop>{ENGLISH}{german}</tu>'
    )
    assert [(each.translation, machine(each)) for each in units(tmp_path, content, "a.tmx")] == [
        ("", "+eins"),
        ("eins", "no candidate"),
    ]


def test_po(tmp_path: Path) -> None:
    header = 'msgid ""\nmsgstr "Language: de_AT\\n"\n\n'
    entries = 'msgid "one"\nmsgstr "eins"\n\n#, c-format, fuzzy\nmsgid "%d file"\nmsgid_plural "%d files"\nmsgstr[0] "%d Datei"\nmsgstr[1] ""\n'
    found = units(tmp_path, header + entries, "a.po")
    assert [(each.source, each.translation, each.unconfirmed) for each in found] == [
        ("one", "eins", ""),
        ("%d file", "%d Datei", "fuzzy"),
        ("%d files", "", "fuzzy"),
    ]
    assert {each.languages for each in found} == {("", "de_AT")}


MACHINES = """MT MT! mt amt NMT Mt-engine x-mt azure-mt leveraged-mt mt-suggestion KantanMT ModernMT modernmt machine
x-machine MachineTranslation machine-translated machinetranslation DeepL DEEPL deepl-pro DeepLPro deeplpro xx.deepl.com
deepl@agency.example mt@agency.example api@deepl.com DeepLv2 deeplv2 deeplfree DeepLÜbersetzer Google google-translate
GoogleTranslate googletranslate googletrans GOOGLE_NMT googlev3 googlecloud googleautoml googlecloudtranslation
translate.googleapis.com MicrosoftTranslator microsofttranslator microsoftazure amazon_translate AmazonTranslate
translate.amazonaws.com Bing bing BingTranslator bing-translator bing_mt bing-en-de bingv3 www.bing.com Systran
systranserver yandex.translate yandexgpt Baidu baidufanyi GPT-4o gpt4 ChatGPT chatgpt OpenAIGPT my-llm LLMs llms"""

PEOPLE = """anna robert.bingham BINGHAM RobertBingham Bingham bing.wang BingWang li-bing Amazonas amazonia googlewhack
anna@google.com anna@yandex.ru bing.wang@microsoft.com smtp comt DrMTaylor machinek mtaylor Tillmann Schmidt memory
tm"""


@pytest.mark.parametrize(
    "name", [*MACHINES.split(), "Bing (en-de)", "Bing en-US-de-DE", "Bing EN>DE", "Bing v3", "Bing 3"]
)
def test_names_of_machines_may_have_versions_products_and_languages(name: str) -> None:
    assert is_machine([name])


@pytest.mark.parametrize("name", [*PEOPLE.split(), "Bing Wang", "Li Bing", "Bing Xu-Li", "Amazonas Perez"])
def test_names_of_people_may_have_those_of_machines_in_them(name: str) -> None:
    assert not is_machine([name])


TABLES = {
    "a.csv": "src;mt;pe\none;eins;Eins\n",
    "a.tsv": "src\tmt\tpe\none\teins\tEins\n",
    "a.jsonl": '{"src": "one", "mt": "eins", "pe": "Eins"}\n',
    "a.json": '[{"src": "one", "mt": "eins", "pe": "Eins"}]',
}
COLUMNS = {"source": "src", "target": "mt", "post_edit": "pe"}


@pytest.mark.parametrize("name", [*TABLES, "a.xlsx"])
def test_tables(name: str, tmp_path: Path) -> None:
    if name == "a.xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        book.create_sheet("first", 0).append(["nothing"])
        for row in ([], ["src", "mt", "pe", "more"], [], ["one", "eins", "Eins", 3]):
            book.worksheets[1].append(row)
        book.save(tmp_path / name)
    else:
        (tmp_path / name).write_text(TABLES[name], encoding="utf-8")
    ((number, texts),) = stream_segments(tmp_path / name, COLUMNS)
    assert texts == {"source": "one", "target": "eins", "post_edit": "Eins"}
    assert number == {"a.jsonl": 1, "a.json": 1, "a.xlsx": 4}.get(name, 2)


def test_rows_without_names_and_null(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"one, two",eins\n', encoding="utf-8")
    rows = stream_segments(tmp_path / "a.csv", {"source": "1", "target": "2"}, has_header=False)
    assert list(rows) == [(1, {"source": "one, two", "target": "eins"})]
    (tmp_path / "a.jsonl").write_text('{"source": "one", "post_edit": null}\n', encoding="utf-8")
    columns = {"source": "source", "post_edit": "post_edit"}
    assert list(stream_segments(tmp_path / "a.jsonl", columns, nullable=["post_edit"])) == [
        (1, {"source": "one", "post_edit": ""})
    ]
    with pytest.raises(DataError, match="line 1: found null in column 'post_edit'"):
        list(stream_segments(tmp_path / "a.jsonl", columns))
