"""Put corpora behind one another, with the language pair of each segment: ``kiwi corpus join``."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.labels.edits import edit_path
from kiwi.data.labels.scores import check_scores
from kiwi.data.labels.tags import TagForm, check_tags
from kiwi.data.readers import check_alignments, check_language_pairs, check_segments
from kiwi.data.segments.streams import SegmentStream
from kiwi.data.text.words import words
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.console.progress import Progress
from kiwi.lib.corpus.labelling import Row
from kiwi.lib.corpus.leaks import LEAK, LEAK_REASON, Leaks
from kiwi.lib.corpus.members import FIELDS, Member, choose_kinds, choose_source_rule, open_member
from kiwi.lib.corpus.options import PARTS, SCORES
from kiwi.lib.corpus.pipeline import DROPPED_FILE, SUFFIXES
from kiwi.lib.corpus.summary import Edits, Part
from kiwi.pages.corpus import BINS
from kiwi.utils.guard import require_new_directory
from kiwi.utils.process.signals import stop_on_signals
from kiwi.utils.staging import staged

logger = logging.getLogger(__name__)

CHUNK_SIZE = 1000
"""The number of segments that are read at a time."""

COLUMNS = ("corpus", "line", "rule", "reason", "source", "target")
"""The columns of ``dropped.tsv``."""


@dataclass
class Joined:
    """The counts of a joined corpus."""

    parts: dict[tuple[str, str], Part] = field(default_factory=dict)
    """The counts of each part and language pair."""

    hter: list[int] = field(default_factory=lambda: [0] * BINS)
    """The number of segments by HTER."""

    lengths: Counter[int] = field(default_factory=Counter)
    """The number of segments by number of words of the translation."""

    edits: Edits = field(default_factory=Edits)
    n_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """The number of segments that each rule left out."""

    form: TagForm | None = None
    """The form of the target tags; None without them."""

    form_place: Path | None = None
    """The file that the form was seen in first."""

    def add(self, part: str, pair: str, row: Row, form: TagForm | None, place: str) -> None:
        """Count a segment; its place is for people."""
        target = words(row.fields.get(const.TARGET_TAGS, ""))
        tags: dict[str, Sequence[str]] = {}
        if form is not None:
            is_interleaved = form is TagForm.INTERLEAVED
            tags[const.TARGET_TAGS] = target[1::2] if is_interleaved else target
            tags |= {const.GAP_TAGS: target[0::2]} if is_interleaved else {}
        if const.SOURCE_TAGS in row.fields:
            tags[const.SOURCE_TAGS] = words(row.fields[const.SOURCE_TAGS])
        self.parts.setdefault((part, pair), Part()).add(row, tags)
        self.hter[max(0, min(int(row.hter * BINS), BINS - 1))] += 1
        self.lengths[len(words(row.texts[const.TARGET]))] += 1
        if row.hter and const.POST_EDIT in row.texts:
            path = edit_path(words(row.texts[const.TARGET]), words(row.texts[const.POST_EDIT]))
            self.edits.add(replace(row, path=path), place)

    @property
    def pairs(self) -> list[str]:
        """The language pairs, in alphabetical order."""
        return sorted({pair for _, pair in self.parts})

    def whole(self, part: str) -> Part | None:
        """Return the counts of a part of all language pairs; None if there is no segment."""
        return Part.total([counts for (name, _), counts in self.parts.items() if name == part])


@dataclass(frozen=True)
class JoinInfo:
    """What was written."""

    path: Path
    """The directory."""

    joined: Joined

    def rows(self) -> list[list[str]]:
        """Return the figures of each part and language pair, for a table with the columns of :data:`HEADER`."""
        return [
            [name, pair, f"{counts.n_segments:,}", f"{counts.figures(name).hter:.4f}"]
            for name in PARTS
            for (part, pair), counts in sorted(self.joined.parts.items())
            if part == name
        ]


HEADER = ["part", "pair", "segments", "mean HTER"]


def join_corpora(
    output: Path,
    directories: Sequence[tuple[Path, str | None]],
    *,
    common_only: bool = False,
    keep_leaks: bool = False,
) -> JoinInfo:
    """Write a corpus of several language pairs, with a report and a training configuration.

    Args:
        output: the directory to write; it appears when it is complete.
        directories: the corpora, each with its language pair, or None for that of its ``corpus.json``.
        common_only: whether to leave out kinds of files that not all corpora have, rather than to reject them.
        keep_leaks: whether to keep training segments whose source or translation is in dev or test of another corpus.

    Raises:
        ConfigError: when a directory is no corpus, or its language pair is not known.
        DataError: when a corpus has changed, a file is missing, or a line cannot be used.
    """
    from kiwi.lib.corpus.joined_records import write_joined_records

    require_new_directory(output)
    seen: dict[Path, Path] = {}
    for directory, _ in directories:
        if (other := seen.setdefault(directory.resolve(), directory)) is not directory:
            raise ConfigError(f"{directory}: given twice, as {other} too. Name each corpus once.")
    members = [open_member(directory, pair) for directory, pair in directories]
    kinds = choose_kinds(members, common_only=common_only)
    source_rule = choose_source_rule(members, kinds)
    _note_missing(members, kinds)
    output = output.absolute()
    with stop_on_signals("Nothing was written; run the same command again."), staged(output) as stage:
        stage.mkdir()
        joined = _write_parts(stage, members, kinds, keep_leaks=keep_leaks)
        write_joined_records(stage, output, joined, members, kinds, source_rule, keep_leaks=keep_leaks)
    if n_leaks := joined.dropped[LEAK]:
        logger.warning(
            "Left out %s training segments: %s (%s). --keep-leaks keeps them.",
            f"{n_leaks:,}",
            LEAK_REASON,
            DROPPED_FILE,
        )
    return JoinInfo(output, joined)


def _note_missing(members: Sequence[Member], kinds: Sequence[str]) -> None:
    """Warn of parts that a corpus lacks, and of kinds of files that are left out."""
    for part in PARTS:
        lacking = [member for member in members if part not in member.files]
        if part == "train" and len(lacking) == len(members):
            places = ", ".join(str(member.directory) for member in members)
            raise DataError.at(places, None, found="no train.src", expected="one, so that there is text to train on")
        for member in lacking if len(lacking) < len(members) else ():
            logger.warning("%s: found no %s; other corpora have one.", member.directory, part)
    every = {suffix for member in members for own in member.files.values() for suffix in own}
    if out := sorted(every - {*kinds, const.LANGUAGE_PAIR}):
        logger.warning("Left out, since not all corpora have them (--common-only): %s.", ", ".join(out))


def _write_parts(stage: Path, members: Sequence[Member], kinds: Sequence[str], *, keep_leaks: bool) -> Joined:
    joined, leaks = Joined(), Leaks()
    with ExitStack() as stack:
        dropped = stack.enter_context((stage / DROPPED_FILE).open("w", encoding="utf-8", newline="\n"))
        dropped.write("\t".join(COLUMNS) + "\n")
        progress = stack.enter_context(Progress("Join", None))
        # Training data comes last, when the texts of dev and test are known.
        for part in ("dev", "test", "train"):
            parts = [(number, member) for number, member in enumerate(members) if part in member.files]
            if not parts:
                continue
            files = {
                suffix: stack.enter_context((stage / f"{part}.{suffix}").open("w", encoding="utf-8", newline="\n"))
                for suffix in (*kinds, const.LANGUAGE_PAIR)
            }
            for number, member in parts:
                for first, columns in read_chunks(member, part, kinds, joined):
                    n_rows = len(columns[const.SOURCE])
                    texts = list(
                        zip(*(columns[f] for f in (const.LANGUAGE_PAIR, const.SOURCE, const.TARGET)), strict=True)
                    )
                    kept = list(range(n_rows))
                    if part != "train":
                        for row in texts:
                            leaks.add(number, *row)
                    elif not keep_leaks:
                        kept = [row for row, own in enumerate(texts) if not leaks.has(number, *own)]
                        _drop(dropped, joined, member, first, {*range(n_rows)} - {*kept}, columns)
                    named = {row: f"{member.directory.name}, {part}, line {first + row}" for row in kept}
                    _append(files, joined, part, columns, named)
                    joined.n_read += n_rows
                    progress.advance(n_rows)
    if joined.whole("train") is None:
        found, expected = "all training segments in dev or test of other corpora", "some to train on"
        places = ", ".join(str(member.directory) for member in members)
        raise DataError.at(places, None, found=found, expected=expected, advice="--keep-leaks keeps them.")
    return joined


def _append(files: Mapping[str, IO[str]], joined: Joined, part: str, columns: Columns, kept: Mapping[int, str]) -> None:
    for suffix, file in files.items():
        column = columns[FIELDS.get(suffix, suffix)]
        file.write("".join(f"{column[row]}\n" for row in kept))
    texts = [name for name in (const.SOURCE, const.TARGET, const.POST_EDIT) if name in columns]
    labels = [name for name in (const.TARGET_TAGS, const.SOURCE_TAGS) if name in columns]
    form = joined.form if const.TARGET_TAGS in columns else None
    for row, place in kept.items():
        counted = Row(
            0,
            {name: columns[name][row] for name in labels},
            {name: columns[name][row] for name in texts},
            hter=float(columns[const.SENTENCE_SCORES][row]),
        )
        joined.add(part, columns[const.LANGUAGE_PAIR][row], counted, form, place)


def _drop(file: IO[str], joined: Joined, member: Member, first: int, rows: set[int], columns: Columns) -> None:
    for row in sorted(rows):
        texts = [columns[name][row].replace("\t", " ").replace("\r", " ") for name in (const.SOURCE, const.TARGET)]
        file.write("\t".join((str(member.directory), str(first + row), LEAK, LEAK_REASON, *texts)) + "\n")
        joined.dropped[LEAK] += 1


def read_chunks(member: Member, part: str, kinds: Sequence[str], joined: Joined) -> Iterator[tuple[int, Columns]]:
    """Read and check a part of a corpus, a few segments at a time.

    Args:
        member: the corpus.
        part: the name of the part.
        kinds: the kinds of files to read.
        joined: has the form of the target tags, which is that of the first corpus.

    Yields:
        The number of the first line, and the columns by field, with the language pair of each segment.

    Raises:
        DataError: when a line cannot be used.
    """
    own = member.files[part]
    chosen = [*kinds, *([const.LANGUAGE_PAIR] if member.pair is None else [])]
    if member.pair is None and const.LANGUAGE_PAIR not in own:
        place = own[SUFFIXES[const.SOURCE]].with_suffix(f".{const.LANGUAGE_PAIR}")
        raise DataError.at(place, None, found="no such file", expected="the language pair of each segment")
    files = {FIELDS.get(suffix, suffix): own[suffix] for suffix in chosen}
    first = 1
    for columns in SegmentStream(files, CHUNK_SIZE).unchecked():
        _check(columns, files, first, joined)
        if member.pair is not None:
            columns[const.LANGUAGE_PAIR] = [member.pair] * len(columns[const.SOURCE])
        else:
            columns[const.LANGUAGE_PAIR] = check_language_pairs(columns, files, first=first)
        yield first, columns
        first += len(columns[const.SOURCE])


def _check(columns: Columns, files: Mapping[str, Path], first: int, joined: Joined) -> None:
    check_segments(columns, files, first=first)
    n_words = {name: [len(words(line)) for line in columns[name]] for name in (const.SOURCE, const.TARGET)}
    if const.TARGET_TAGS in columns:
        lines, place = columns[const.TARGET_TAGS], files[const.TARGET_TAGS]
        if first == 1:
            form = TagForm.of(lines[0], n_words[const.TARGET][0], place)
            joined.form, joined.form_place = joined.form or form, joined.form_place or place
            if form is not joined.form:
                found = f"tags in the form '{form.value}'"
                expected = f"the form '{joined.form.value}' of {joined.form_place}"
                advice = "Make the corpora with the same --tags."
                raise DataError.at(place, 1, found=found, expected=expected, advice=advice)
        assert joined.form is not None
        check_tags(lines, n_words[const.TARGET], joined.form, place, first=first)
    if const.SOURCE_TAGS in columns:
        place = files[const.SOURCE_TAGS]
        check_tags(columns[const.SOURCE_TAGS], n_words[const.SOURCE], TagForm.WORDS, place, const.SOURCE, first=first)
    for name in (const.SENTENCE_SCORES, SCORES):
        if name in columns:
            check_scores(columns[name], files[name], first=first)
    if const.ALIGNMENTS in columns:
        check_alignments(columns, files, first=first)
