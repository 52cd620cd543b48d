"""PO and POT: the catalogues of gettext."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from kiwi.data.documents.lines import tape_lines
from kiwi.data.documents.marks.decisions import PREFIX, decisions_text
from kiwi.data.documents.marks.its import in_order
from kiwi.data.documents.marks.notes import flags_text
from kiwi.data.documents.parts import Edit, Part, Row, Segment, Tape, one_line, pair
from kiwi.data.documents.rating import Rating
from kiwi.exceptions import DataError

COMMENT = b"# kiwi score: "
"""The start of the comment with the scores of an entry, one for each of its forms."""

INTERVALS, FLAGS, DECISIONS = b"# kiwi interval: ", b"# kiwi flags: ", b"# kiwi decision: "
"""The start of the comments with the intervals of its scores, with its flags, and with the decisions about it."""

LANGUAGE = re.compile(r"^Language:[ \t]*([\w-]+)", re.MULTILINE)

STATEMENT = re.compile(rb'(msgctxt|msgid_plural|msgid|msgstr|domain)[ \t]*(\[[ \t]*\d+[ \t]*\])?[ \t]*(".*)', re.DOTALL)
STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": " ", "b": " ", "f": " ", "v": " "}
CHARSET = re.compile(r"charset=([^\s;\"]+)", re.IGNORECASE)
TEMPLATE = "CHARSET"
"""What stands for the encoding in the header of a template."""


@dataclass
class Entry:
    """An entry of a catalogue."""

    start: int
    """The offset of its first comment, or of its text."""

    line: int = 0
    first: int | None = None
    """The offset of its text; None if nothing but comments was read."""

    texts: dict[str, list[bytes]] = field(default_factory=dict)
    """The strings of each text by its keyword, such as ``msgid`` and ``msgstr[1]``."""

    flags: tuple[int, bytes] | None = None
    """The offset and the content of its flags."""

    scores: tuple[int, int] | None = None
    """The offsets around the scores that it has already."""

    notes: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)
    """The offsets of the lines with what kiwi has found before, and around it, by the start of the comment."""

    decisions: str = ""
    """What a policy decided before about its forms, as text."""

    previous: int | None = None
    """The offset of the comments about the text that it had before (``#|``)."""

    @property
    def is_fuzzy(self) -> bool:
        """Whether its translation is marked for review."""
        return self.flags is not None and b"fuzzy" in re.split(rb"[,\s]+", self.flags[1])


class PO:
    """A catalogue of gettext.

    Args:
        rating: the form of scores.
    """

    def __init__(self, rating: Rating) -> None:
        self.n_without_target = 0
        """The number of entries without a translation, which are left as they are."""
        self._rating = rating
        self._encoding = "utf-8"
        self._language: str | None = None
        self._seen: set[int] = set()
        self._line_end = b"\n"

    def parts(self, tape: Tape) -> Iterator[Part]:
        """Yield the parts of the document; see :class:`kiwi.data.documents.parts.Document`."""
        self._place = tape.place
        entry: Entry | None = None
        keyword = ""
        for number, start, line in tape_lines(tape):
            if number == 1 and line.endswith(b"\r\n"):
                self._line_end = b"\r\n"
            text = line.strip()
            is_comment = text.startswith(b"#")
            if entry is not None and entry.first is not None:
                is_complete = any(name.startswith(("msgstr", "domain")) for name in entry.texts)
                starts_entry = text.startswith((b"msgctxt", b"msgid", b"domain")) and is_complete
                if is_comment or not text or starts_entry:
                    yield self._finish(entry, start)
                    entry, keyword = None, ""
            if not text or text.startswith(b"#~"):  # obsolete entries are comments
                entry = None
                continue
            entry = entry or Entry(start)
            if is_comment:
                _take_comment(entry, start, line)
                continue
            if entry.first is None:
                entry.first, entry.line = start, number
            keyword = self._take_text(entry, keyword, text, number)
        if entry is not None and entry.first is not None:
            yield self._finish(entry, tape.end)
        yield Part(tape.end)

    def _take_text(self, entry: Entry, keyword: str, text: bytes, number: int) -> str:
        """Take a line of text, and return the keyword that it belongs to."""
        line = text
        if statement := STATEMENT.fullmatch(text):
            index = re.sub(rb"[ \t]", b"", statement[2] or b"").decode()
            keyword, text = statement[1].decode() + index, statement[3]
            if keyword in entry.texts:
                raise self._error(number, f"a second {keyword} in an entry", "one", "Remove one of them.")
            if keyword.startswith("msgstr") and "msgid" not in entry.texts:
                raise self._error(number, "msgstr without msgid", "msgid before it", "Check the lines above.")
            entry.texts[keyword] = []
        string = STRING.fullmatch(text)
        if string is None or not keyword:
            found = line.decode("utf-8", "backslashreplace")
            expected = 'msgctxt, msgid, msgid_plural or msgstr and a text in quotes, such as msgid "Open"'
            raise self._error(number, f"{found:.60}", expected, "msgfmt -c names all such lines.")
        entry.texts[keyword].append(string[1])
        return keyword

    def _finish(self, entry: Entry, end: int) -> Part:
        if "domain" in entry.texts:
            self._seen = set()
            return Part(end)
        msgid = self._decoded(entry, "msgid")
        key = hash((b"".join(entry.texts.get("msgctxt", [b"\0"])), b"".join(entry.texts.get("msgid", []))))
        if key in self._seen:
            context = self._decoded(entry, "msgctxt")
            found = f"a second entry of msgid '{msgid:.60}'" + (f" in the context '{context:.60}'" if context else "")
            raise self._error(entry.line, found, "each once", "Merge them, for example with: msguniq.")
        self._seen.add(key)
        if not msgid and "msgctxt" not in entry.texts:
            self.take_header(entry)
            return Part(end)
        segments = self.segments(entry, msgid)
        self.n_without_target += not segments

        def edits(rows: Sequence[Row]) -> list[Edit]:
            return self._edits(entry, segments, rows)

        return Part(end, segments, edits) if segments else Part(end)

    def segments(self, entry: Entry, msgid: str) -> list[Segment]:
        """Return the segments of an entry, whose text is ``msgid``."""
        forms = self.forms(entry, msgid)
        segments = []
        for number, (source, target) in enumerate(forms):
            if one_line(target):
                other = self._decoded(entry, "msgid_plural") if source is msgid and len(forms) > 1 else None
                name = str(number) if len(forms) > 1 else ""
                languages = (None, self._language)
                segments.append(
                    replace(pair(source, target, entry.line), other_source=other, name=name, languages=languages)
                )
        return segments

    def forms(self, entry: Entry, msgid: str) -> list[tuple[str, str]]:
        """Return the source and the translation of each form of an entry."""
        names = [name for name in entry.texts if name.startswith("msgstr")]
        found = []
        for name in names:
            # The first of several forms is that of one thing, as far as gettext tells.
            is_plural = "msgid_plural" in entry.texts and (name != "msgstr[0]" or len(names) == 1)
            source = self._decoded(entry, "msgid_plural") if is_plural else msgid
            found.append((source, self._decoded(entry, name)))
        return found

    def _note_edits(self, entry: Entry, segments: Sequence[Segment], rows: Sequence[Row]) -> list[Edit]:
        texts = {
            FLAGS: flags_text(segments, rows).removeprefix("flags: "),
            DECISIONS: decisions_text(segments, rows).removeprefix(PREFIX),
        }
        if any(self._rating.text(row) is not None for row in rows):
            texts = {INTERVALS: self._intervals_text(rows)} | texts
        found = []
        for start_of_line, text in texts.items():
            content = text.encode(self._encoding, "backslashreplace")
            if start_of_line in entry.notes:
                line, start, end = entry.notes[start_of_line]
                found.append(Edit(start, end, content) if text else Edit(line, end + len(self._line_end), b""))
            elif text and start_of_line == INTERVALS and entry.scores is not None:
                behind = entry.scores[1]
                found.append(Edit(behind, behind, self._line_end + start_of_line + content))
            elif text:
                found.append(Edit(entry.start, entry.start, start_of_line + content + self._line_end))
        return in_order(found)

    def _intervals_text(self, rows: Sequence[Row]) -> str:
        """Return the intervals of the scores of an entry, one for each of its forms; empty if there are none."""
        found = [self._rating.interval(row) for row in rows]
        return "; ".join("nan" if ends is None else " to ".join(ends) for ends in found) if any(found) else ""

    def _edits(self, entry: Entry, segments: Sequence[Segment], rows: Sequence[Row]) -> list[Edit]:
        found = self._note_edits(entry, segments, rows)
        texts = [self._rating.text(row) for row in rows]
        scores = " ".join("nan" if text is None else text for text in texts).encode()
        has_scores = any(text is not None for text in texts)
        if has_scores and entry.scores is not None:
            found.append(Edit(*entry.scores, scores))
        elif has_scores:
            found = [Edit(entry.start, entry.start, COMMENT + scores + self._line_end), *found]
        if any(map(self._rating.is_marked, rows)):
            if entry.flags is None:
                place = entry.first if entry.previous is None else entry.previous
                assert place is not None
                found.append(Edit(place, place, b"#, fuzzy" + self._line_end))
            elif not entry.is_fuzzy:
                found.append(Edit(entry.flags[0] + 2, entry.flags[0] + 2, b" fuzzy,"))
        return in_order(found)

    def take_header(self, entry: Entry) -> None:
        """Take the header, which names the encoding and the language."""
        header = b"".join(entry.texts.get("msgstr", [])).decode("latin-1").replace("\\n", "\n")
        language = LANGUAGE.search(header)
        self._language = language[1] if language else None
        found = CHARSET.search(header)
        if found is None or found[1] == TEMPLATE:
            return
        try:
            name = codecs.lookup(found[1]).name
            is_readable = "msgid".encode(name) == b"msgid"
        except (LookupError, UnicodeError):
            is_readable = False
        if not is_readable:
            advice = "Convert the file, for example with: msgconv -t UTF-8."
            raise self._error(entry.line, f"the charset '{found[1]}'", "a known one that includes ASCII", advice)
        self._encoding = found[1]

    def _decoded(self, entry: Entry, keyword: str) -> str:
        content = b"".join(entry.texts.get(keyword, []))
        try:
            text = content.decode(self._encoding)
        except UnicodeDecodeError as error:
            found = f"byte 0x{content[error.start]:02x} in {keyword}"
            advice = "Correct charset in the header, or convert the file, for example with: msgconv -t UTF-8."
            raise self._error(entry.line, found, f"{self._encoding}, as in the header", advice) from error
        return ESCAPE.sub(_unescaped, text) if "\\" in text else text

    def _error(self, line: int, found: str, expected: str, advice: str) -> DataError:
        return DataError.at(self._place, line, found=found, expected=expected, advice=advice)


def _take_comment(entry: Entry, start: int, line: bytes) -> None:
    indent = len(line) - len(line.lstrip())
    text = line.strip()
    if text.startswith(COMMENT):
        entry.scores = (start + indent + len(COMMENT), start + indent + len(text))
    elif own := [each for each in (INTERVALS, FLAGS, DECISIONS) if text.startswith(each)]:
        entry.notes[own[0]] = (start, start + indent + len(own[0]), start + indent + len(text))
        if own[0] == DECISIONS:
            entry.decisions = text.removeprefix(DECISIONS).decode("utf-8", "replace")
    elif text.startswith(b"#,") and entry.flags is None:
        entry.flags = (start + indent, text[2:])
    elif text.startswith(b"#|") and entry.previous is None:
        entry.previous = start


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return ESCAPES.get(code, code)
