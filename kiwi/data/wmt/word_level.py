"""Submissions to the WMT word-level tasks, with a row for each word or gap.

Because a million segments have tens of millions of rows, rows are read one by one, and only the tags and the distinct
words are kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kiwi.constants import BAD, LABELS, OK
from kiwi.data.wmt.eos import EOS, target_with_eos, with_eos
from kiwi.data.wmt.header import Header
from kiwi.data.wmt.rows import Rows, check_field, write_rows
from kiwi.exceptions import DataError

__all__ = ["EOS", "WordSubmission", "read_word_submission", "target_with_eos", "write_word_submission"]

COLUMNS = ("LP", "METHOD", "TYPE", "SEG", "INDEX", "WORD", "TAG")

TARGET, GAP, SOURCE = "mt", "gap", "source"
"""The TYPE values of rows, which are read in any case."""

TARGET_WITH_EOS = "MT"
"""The TYPE of target words as it is written for WMT22 and WMT23, whose submissions have it in capitals."""

TYPES = (TARGET, GAP, SOURCE)

INTERNED_LABELS = {str(label): str(label) for label in LABELS}
"""One shared string for each label, to save memory."""


@dataclass(frozen=True)
class WordSubmission:
    """A submission with OK/BAD tags for each segment; types of tags that it does not have are None."""

    header: Header
    """The figures of the model."""

    language_pair: str
    """The language pair, such as ``en-de``."""

    method: str
    """The name of the system."""

    target_tags: list[list[str]] | None = None
    """Tags of the target words; with :attr:`has_eos`, one more for ``<EOS>``."""

    gap_tags: list[list[str]] | None = None
    """Tags of the gaps, n+1 for n target words."""

    source_tags: list[list[str]] | None = None
    """Tags of the source words."""

    target_words: list[list[str]] | None = None
    """The words of ``target_tags``, including ``<EOS>``."""

    source_words: list[list[str]] | None = None
    """The words of ``source_tags``."""

    @property
    def has_eos(self) -> bool:
        """Whether all translations end with ``<EOS>``, as in WMT22 and WMT23."""
        return bool(self.target_words) and all(words[-1:] == [EOS] for words in self.target_words or [])


@dataclass(slots=True)
class _Segment:
    """The words and tags of one type of one segment, while the file is read."""

    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    early: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Words and tags of rows that are out of order, by index."""


def read_word_submission(
    path: Path,
    language_pair: str | None = None,
    target_words: Sequence[Sequence[str]] | None = None,
    source_words: Sequence[Sequence[str]] | None = None,
) -> WordSubmission:
    """Read rows of ``LP METHOD TYPE SEG INDEX WORD TAG``, in any order, with all or some TYPE values.

    Words are compared without regard to case, as in the official scoring.

    Args:
        path: the file, with a header of no, two or three lines.
        language_pair: the language pair to read; None stands for the only pair of the file.
        target_words: the expected words of each translation, with or without ``<EOS>``; None allows any.
        source_words: the expected words of each source segment; None allows any.

    Raises:
        DataError: at the first invalid line.
    """
    rows = Rows(path, COLUMNS, language_pair, numbers=("SEG", "INDEX"))
    found = _read(rows)
    has_eos = _check_eos(rows, found)
    expected_words = None if target_words is None else [with_eos(words, has_eos) for words in target_words]
    columns: dict[str, tuple[list[list[str]], list[list[str]]]] = {}
    for kind, expected in ((TARGET, expected_words), (SOURCE, source_words)):
        if segments := found[kind]:
            # A translation without words has no row except that of its gap.
            blank = [index for index in (found[GAP] if kind == TARGET else ()) if index not in segments]
            blank += [index for index, words in enumerate(expected or ()) if not words and index not in segments]
            segments |= {index: _Segment() for index in blank}
            columns[kind] = _columns(rows, segments, kind, expected)
    if found[GAP]:
        known = columns[TARGET][0] if TARGET in columns else target_words
        columns[GAP] = _columns(rows, found[GAP], GAP, known)
    tags = [columns[kind][1] if kind in columns else None for kind in TYPES]
    texts = [columns[kind][0] if kind in columns else None for kind in (TARGET, SOURCE)]
    return WordSubmission(rows.header, rows.language_pair, rows.method, *tags, *texts)


def _read(rows: Rows) -> dict[str, dict[int, _Segment]]:
    """Read words and tags by type and segment number, in order within each segment."""
    found: dict[str, dict[int, _Segment]] = {kind: {} for kind in TYPES}
    interned: dict[str, str] = {}
    before = None
    segment: _Segment | None = None
    for number, line in rows:
        # The first four columns rarely change from one row to the next, and are only parsed when they do.
        start, *cells = line.rsplit("\t", 3)
        if start != before or len(cells) != 3:
            before, row = start, rows.split(number, line)
            segment = None if row is None else _segment_of(rows, number, row, found)
            if row is not None:
                cells = [row[column] for column in COLUMNS[-3:]]
        if segment is None:
            continue
        position, word, label = cells
        tag = INTERNED_LABELS.get(label)
        if tag is None:
            rows.fail(number, f"the TAG '{label}'", f"{OK} or {BAD}")
        if position == str(len(segment.tags)):
            segment.words.append(interned.setdefault(word, word))
            segment.tags.append(tag)
            continue
        row = rows.split(number, line)
        assert row is not None, "of the same language pair as the row before"
        place = rows.count(number, row, "INDEX")
        if place < len(segment.tags) or place in segment.early:
            rows.fail(number, f"INDEX {position} of SEG {row['SEG']} ({row['TYPE']}) again", "each index once")
        segment.early[place] = (word, tag)
    for kind, segments in found.items():
        for index, segment in segments.items():
            if segment.early:
                _append_early(rows, kind, index, segment)
    return found


def _segment_of(rows: Rows, number: int, row: dict[str, str], found: dict[str, dict[int, _Segment]]) -> _Segment:
    """Return the segment that a row belongs to."""
    kind = row["TYPE"].strip().lower()
    if kind not in found:
        rows.fail(number, f"the TYPE '{row['TYPE']}'", f"one of {', '.join(TYPES)}")
    return found[kind].setdefault(rows.count(number, row, "SEG"), _Segment())


def _append_early(rows: Rows, kind: str, index: int, segment: _Segment) -> None:
    for place, (word, tag) in sorted(segment.early.items()):
        size = len(segment.tags)
        if place != size:
            line = rows.line_of({"TYPE": kind, "SEG": index, "INDEX": place})
            where = f"INDEX {place} of SEG {index} ({kind})"
            if place < size:
                rows.fail(line, f"{where} twice", "each index once")
            rows.fail(line, f"{where}, but no INDEX {size}", "every index from 0 on")
        segment.words.append(word)
        segment.tags.append(tag)
    segment.early.clear()


def _check_eos(rows: Rows, found: dict[str, dict[int, _Segment]]) -> bool:
    """Return whether translations end with ``<EOS>``: all or none of them, and all after a header of three lines."""
    targets = found[TARGET]
    wanted = rows.header.ensembled is not None
    has_eos = wanted or bool(targets and next(iter(targets.values())).words[-1:] == [EOS])
    if not has_eos:
        return False
    for kind in (GAP, SOURCE):
        for index in found[kind]:
            line = rows.line_of({"TYPE": kind, "SEG": index})
            rows.fail(line, f"the TYPE '{kind}'", f"'{TARGET}' only, as translations end with {EOS} (WMT22, WMT23)")
    for index, segment in targets.items():
        if segment.words[-1] != EOS:
            last = len(segment.words) - 1
            line = rows.line_of({"TYPE": TARGET, "SEG": index, "INDEX": last})
            reason = "as the header has three lines" if wanted else "as in other segments"
            rows.fail(line, f"'{segment.words[-1]}' as the last word of SEG {index}", f"{EOS}, {reason}")
    return True


def _columns(
    rows: Rows, segments: dict[int, _Segment], kind: str, expected: Sequence[Sequence[str]] | None
) -> tuple[list[list[str]], list[list[str]]]:
    """Return words and tags of a type in the order of segments, checked against the expected words.

    Args:
        rows: the rows of the file, for errors.
        segments: the segments by number.
        kind: the TYPE of the rows; there is one more gap than ``expected`` words.
        expected: the expected words of each segment; None allows any.
    """
    ordered = rows.in_order(segments, None if expected is None else len(expected), kind)
    if expected is not None:
        for index, (segment, known) in enumerate(zip(ordered, expected, strict=True)):
            size = len(known) + (kind == GAP)
            if kind != GAP and segment.words == known:
                continue
            for place, (word, other) in enumerate(zip(segment.words, known, strict=False)):
                if kind != GAP and word.lower() != other.lower():
                    line = rows.line_of({"TYPE": kind, "SEG": index, "INDEX": place})
                    where = f"the word '{word}' at INDEX {place} of SEG {index} ({kind})"
                    rows.fail(line, where, f"'{other}'", "The submission is for other segments.")
            if len(segment.tags) != size:
                # The first surplus row, or the last existing one.
                place = min(size, len(segment.tags) - 1)
                line = rows.line_of({"TYPE": kind, "SEG": index, "INDEX": place}) if segment.tags else None
                reason = "one more than it has words" if kind == GAP else "the words of the segment"
                rows.fail(line, f"{len(segment.tags)} rows of SEG {index} ({kind})", f"{size}, {reason}")
    return [segment.words for segment in ordered], [segment.tags for segment in ordered]


def write_word_submission(path: Path, submission: WordSubmission, *others: WordSubmission) -> None:
    """Write a submission that :func:`read_word_submission` reads back unchanged, in the order mt, gap, source.

    Args:
        path: the file.
        submission: the submission, whose header is written.
        others: the submissions for further language pairs.

    Raises:
        DataError: when the number of tags is wrong, a word has a tab, or the header does not fit the tags.
    """
    for each in (submission, *others):
        _check_submission(each)
    write_rows(path, submission.header, (line for each in (submission, *others) for line in _lines(each)))


Parts = dict[str, tuple[list[list[str]] | None, list[list[str]] | None, int]]
"""The tags and the words of each type, and how many more tags than words there are."""


def _parts(submission: WordSubmission) -> Parts:
    return {
        TARGET: (submission.target_tags, submission.target_words, 0),
        GAP: (submission.gap_tags, submission.target_words, 1),
        SOURCE: (submission.source_tags, submission.source_words, 0),
    }


def _check_submission(submission: WordSubmission) -> None:
    check_field("language_pair", submission.language_pair)
    check_field("method", submission.method)
    if submission.header.ensembled is not None and not submission.has_eos:
        raise DataError(
            f"Found a header with ensembled (WMT22, WMT23); expected translations that end with {EOS}, or no ensembled."
        )
    if submission.has_eos and (submission.gap_tags is not None or submission.source_tags is not None):
        raise DataError(f"Found translations that end with {EOS}; expected neither gap_tags nor source_tags.")
    parts = _parts(submission)
    if all(tags is None for tags, _, _ in parts.values()):
        raise DataError("Found a submission without tags; expected target_tags, gap_tags or source_tags.")
    for kind, (tags, words, more) in parts.items():
        if tags is not None:
            _check_rows(kind, tags, words, more)


def _lines(submission: WordSubmission) -> Iterator[str]:
    start = f"{submission.language_pair}\t{submission.method}"
    for kind, (tags, words, _) in _parts(submission).items():
        name = TARGET_WITH_EOS if submission.has_eos else kind
        for segment, row in enumerate(tags or ()):
            names = [GAP] * len(row) if kind == GAP or words is None else words[segment]
            for index, (word, tag) in enumerate(zip(names, row, strict=True)):
                yield f"{start}\t{name}\t{segment}\t{index}\t{word}\t{tag}"


def _check_rows(kind: str, tags: Sequence[Sequence[str]], words: Sequence[Sequence[str]] | None, more: int) -> None:
    if words is None and kind != GAP:
        raise DataError(f"Found tags of type {kind} without words; expected one word for each tag.")
    if words is not None and len(tags) != len(words):
        raise DataError(
            f"Found {kind} tags for {len(tags)} segments and words for {len(words)}; expected the same number."
        )
    for segment, row in enumerate(tags):
        place = f"Segment {segment} (from 0)"
        if others := set(row) - set(INTERNED_LABELS):
            raise DataError(f"{place}: found the tag '{others.pop()}'; expected {OK} or {BAD}.")
        names = words[segment] if words is not None else row[more:]
        if len(row) != len(names) + more:
            raise DataError(f"{place}: found {len(row)} {kind} tags; expected {len(names) + more}.")
        for word in names:
            check_field(f"{place}, a word", word)
