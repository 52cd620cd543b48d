import pytest

from kiwi.exceptions import ConfigError, DataError, WriteError
from kiwi.utils.display import hide_secrets, lost_secrets, printable, without_secrets
from kiwi.utils.templates import as_code, in_markdown, in_shell


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg://me:secret@host/name", "postgresql+psycopg://***@host/name"),
        ("postgresql://me:se/cr?et#x@host:5432/name", "postgresql://***@host:5432/name"),
        ("mysql://me:s@cret@host/name", "mysql://***@host/name"),
        ("https://TOKEN@host/x", "https://***@host/x"),
        ("simplecache::s3://key:secret@bucket/a", "simplecache::s3://***@bucket/a"),
        ("https://h/x?a=1&api_key=zzz&sslpassword=q&b=2#f", "https://h/x?a=1&api_key=***&sslpassword=***&b=2#f"),
        ("s3://b/k?X-Amz-Signature=abc&X-Amz-Credential=ww", "s3://b/k?X-Amz-Signature=***&X-Amz-Credential=***"),
        ("cannot reach 'https://u:p@h/' and https://h:1/", "cannot reach 'https://***@h/' and https://h:1/"),
        ("http://host:8080/path@x", "http://host:8080/path@x"),
        ("http://host:8080", "http://host:8080"),
        ("sqlite:///a/b.db", "sqlite:///a/b.db"),
        ("me@host", "me@host"),
    ],
)
def test_secrets_of_uris_are_hidden(text, expected):
    assert without_secrets(text) == expected
    assert hide_secrets({"a": [text, 1], "b": None}) == {"a": [expected, 1], "b": None}
    assert lost_secrets(expected) == ("***" in expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("\x9b1m\x7f\r", "\\x9b1m\\x7f\\r"),
        ("x\u202egnp", "x\\u202egnp"),
        ("\udcff", "\\udcff"),
        ("ä\tö\nü [/b] \u200f", "ä\tö\nü [/b] \u200f"),
    ],
)
def test_control_characters_are_escaped(text, expected):
    assert printable(text) == expected


def test_errors_show_neither_secrets_nor_control_characters():
    assert str(ConfigError("storage: db://me:pw@h/x \x1b[2J")) == "storage: db://***@h/x \\x1b[2J"
    assert "\x1b" not in str(DataError.at("a\x1bb", 1, found="x", expected="y"))
    assert str(WriteError("a\x1b", 28)) == "a\\x1b"


@pytest.mark.parametrize("text", ["a|b", "`x` | <script>", "a\n```\n# b", "[x](http://e)", "*x*", "\x1b[1m"])
def test_text_in_a_card_is_no_markup(text):
    shown = in_markdown(text)
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert not any(f"{before}{char}" in f" {shown}" for before in " ax`" for char in "|<`*[")
    span = as_code(text)
    assert "\n" not in span
    assert span.replace("\\|", "").count("|") == 0
    fence = span[: len(span) - len(span.lstrip("`"))]
    assert fence not in span[len(fence) : -len(fence)].split()
    assert "\n" not in in_shell(text)
