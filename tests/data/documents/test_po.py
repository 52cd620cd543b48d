"""PO: everything but the scores stays as it was."""

from __future__ import annotations

import polib
import pytest

from kiwi.data.documents.rating import Rating
from kiwi.exceptions import DataError
from tests.documents import copied

HEADER = """# A catalogue.
#, fuzzy
msgid ""
msgstr ""
"Content-Type: text/plain; charset={charset}\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""

CATALOGUE = (
    HEADER
    + r"""{first}# by hand
#. for the menu
#: menu.c:12
#,{flag} c-format, no-wrap
#| msgid "Shut"
msgctxt "menu"
msgid "Close \"%s\"\n"
"now"
msgstr ""
"Schließen \"%s\" \n"
"	jetzt"

#~ msgid "obsolete"
#~ msgstr "veraltet"

# not yet
msgid "Open"
msgstr ""

{second}#: a.c:1
{line}#| msgid "%d fil"
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d\tDateien \\ \x41\101"
{third}msgid "Close \"%s\"\nnow"
msgstr "Zu"
"""
)
PLACES = ("first", "second", "third", "flag", "line")


def filled(charset: str = "UTF-8", **places: str) -> str:
    return CATALOGUE.format(**dict.fromkeys(PLACES, "") | {"charset": charset} | places)


SCORES = {
    "first": "# kiwi score: 0.3\n",
    "second": "# kiwi score: 0.2 0.4\n",
    "third": "# kiwi score: 0.1\n",
}


def test_only_scores_are_added() -> None:
    found = copied(filled(), "a.po")
    assert found.text == filled(**SCORES)
    assert found.pairs == [
        ('Close "%s" now', 'Schließen "%s" jetzt'),
        ("%d file", "%d Datei"),
        ("%d files", "%d Dateien \\ AA"),
        ('Close "%s" now', "Zu"),
    ]
    assert [segment.line for segment in found.segments] == [13, 29, 29, 33]
    assert found.n_without_target == 1
    assert copied(found.content, "a.po").content == found.content
    assert copied(found.text.replace(": 0.2 0.4", ": 17"), "a.po").content == found.content
    by_id = {(entry.msgctxt, entry.msgid): entry for entry in polib.pofile(found.text)}
    assert by_id["menu", 'Close "%s"\nnow'].tcomment == "kiwi score: 0.3\nby hand"
    assert by_id[None, "%d file"].tcomment == "kiwi score: 0.2 0.4"


@pytest.mark.parametrize("size", [1, 10])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("charset", ["UTF-8", "ISO-8859-1", "CP1252", "CHARSET"])
def test_charsets_and_line_ends(charset: str, line_end: str, size: int) -> None:
    encoding = "utf-8" if charset == "CHARSET" else charset
    before, after = (filled(charset, **places).replace("\n", line_end).encode(encoding) for places in ({}, SCORES))
    assert copied(before, "a.po", size=size).content == after
    assert copied(before.rstrip(), "a.po", size=size).content == after.rstrip()
    if encoding == "utf-8":
        assert copied(b"\xef\xbb\xbf" + before, "a.po").content == b"\xef\xbb\xbf" + after


def test_fuzzy() -> None:
    found = copied(filled(), "a.po", rating=Rating("", 0.35, True, True))
    third = SCORES["third"] + "#, fuzzy\n"
    assert found.text == filled(**SCORES | {"flag": " fuzzy,", "line": "#, fuzzy\n", "third": third})
    assert copied(found.content, "a.po", rating=Rating("", 0.35, True, True)).content == found.content
    assert sum(entry.fuzzy for entry in polib.pofile(found.text)) == 3
    assert copied(filled(), "a.po", rating=Rating("", 0.35, True, False)).text == filled(**SCORES)


def test_one_form_of_plural_and_segments_without_a_score() -> None:
    text = HEADER.format(charset="UTF-8") + 'msgid "%d file"\nmsgid_plural "%d files"\nmsgstr[0] "%d ファイル"\n'
    assert copied(text, "a.po").pairs == [("%d files", "%d ファイル")]
    assert copied(filled().replace('"Zu"', '"NOSCORE"'), "a.po").text.count("kiwi score") == 2
    assert copied(text.replace("ファイル", "NOSCORE"), "a.po").text == text.replace("ファイル", "NOSCORE")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('msgid "a"\nmsgstr "b\n', 'line 2: found msgstr "b; expected msgctxt, msgid, msgid_plural or msgstr and a'),
        ("hello\n", "line 1: found hello; expected msgctxt, msgid"),
        ('"hello"\n', 'line 1: found "hello"; expected msgctxt, msgid'),
        ('msgstr "a"\n', "line 1: found msgstr without msgid; expected msgid before it"),
        ('msgid "a"\nmsgid "b"\n', "line 2: found a second msgid in an entry; expected one"),
        (
            'msgid "a"\nmsgstr "b"\n\nmsgctxt "c"\nmsgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr ""\n',
            "line 8: found a second entry of msgid 'a'; expected each once. Merge them",
        ),
        (filled("UTF-8").encode("latin-1"), "line 13: found byte 0xdf in msgstr; expected UTF-8, as in the header"),
        (filled("X-NONE"), "line 3: found the charset 'X-NONE'; expected a known one"),
        (filled().encode("utf-16"), "found UTF-16 (by its byte order mark); expected UTF-8"),
        (b'msgid "' + b"a" * 2**25, "line 1: found a line of more than 16777216 bytes; expected text"),
    ],
)
def test_what_is_refused(content: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as error:
        copied(content, "a.po")
    assert message in str(error.value)


def test_domains_have_their_own_entries() -> None:
    text = 'domain "a"\nmsgid "x"\nmsgstr "y"\n\ndomain "b"\nmsgid "x"\nmsgstr "y"\n'
    assert len(copied(text, "a.po").segments) == 2
