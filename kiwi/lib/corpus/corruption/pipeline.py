"""Write translations with errors that are known by construction: ``kiwi corpus corrupt``."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from kiwi import __version__, constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.files.tables import stream_rows
from kiwi.data.languages import language_of
from kiwi.data.segments.streams import SegmentStream
from kiwi.data.text.language_pairs import parse_language_pairs, split_pair
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.console.progress import Progress
from kiwi.lib.corpus.corruption.kinds import Material
from kiwi.lib.corpus.corruption.negations import NEGATIONS
from kiwi.lib.corpus.corruption.options import NO_CORRUPTION, CorruptOptions
from kiwi.lib.corpus.corruption.segments import Segment, corrupt_segment, label_segment, splitter_for
from kiwi.lib.corpus.corruption.units import Tokenize, Unit, split_units
from kiwi.lib.corpus.records import CORPUS_FILE, FORMAT, checksums
from kiwi.utils.guard import require_new_directory
from kiwi.utils.io import did_you_mean, write_json
from kiwi.utils.process.signals import stop_on_signals
from kiwi.utils.staging import staged

logger = logging.getLogger(__name__)

WINDOW = 10_000
"""The number of segments that words and translations of other segments are taken from."""

HEADER = ["corruption", "segments", "share"]

FIELDS = (const.SOURCE, const.TARGET, const.LANGUAGE_PAIR)


@dataclass(frozen=True)
class CorruptInfo:
    """What was written."""

    path: Path
    """The directory."""

    n_segments: int
    """The number of translations."""

    counts: Mapping[str, int]
    """The number of translations with each corruption; one may have several."""

    n_empty: int
    """The number of segments that were left out, because a side has no word."""

    def rows(self) -> list[list[str]]:
        """Return the counts for a table with the columns of :data:`HEADER`."""
        return [[kind, f"{n:,}", f"{n / max(self.n_segments, 1):.1%}"] for kind, n in self.counts.items()]


def corrupt_corpus(
    output: Path,
    options: CorruptOptions | None = None,
    *,
    files: Mapping[str, Path] | None = None,
    table: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> CorruptInfo:
    """Write a corpus of translations with errors whose tags, HTER and spans are known.

    Args:
        output: the directory to write; it appears when it is complete.
        options: how translations are corrupted.
        files: the files ``source``, ``target`` (good translations) and, optionally, ``lp``; one segment per line.
        table: a table in the place of files.
        columns: the columns of the table by field; source and target have their own names by default.

    Raises:
        ConfigError: when options are unknown or incompatible.
        DataError: when a segment cannot be read; the message names file and line.
    """
    options = options or CorruptOptions()
    given = dict(files or {})
    names = {const.SOURCE: const.SOURCE, const.TARGET: const.TARGET, **(columns or {})}
    _check_input(given, table, columns or {})
    options.check(given if table is None else names)
    require_new_directory(output)
    output = output.absolute()
    counts: Counter[str] = Counter(dict.fromkeys((NO_CORRUPTION, *options.kinds), 0))
    n_written = n_read = n_empty = 0
    has_foreign = False
    with stop_on_signals("Nothing was written; run the same command again."), staged(output) as stage:
        stage.mkdir()
        with ExitStack() as stack, Progress("Corrupt", None) as progress:
            opened: dict[str, IO[str]] = {}
            for window in _windows(given, table, names):
                segments = [segment for segment in _parse(*window, options) if segment.has_words]
                n_read += len(window[0])
                n_empty += len(window[0]) - len(segments)
                has_foreign |= len({segment.language for segment in segments}) > 1
                for segment, material, copy in _schedule(segments, options):
                    units, n_edits, kinds = corrupt_segment(segment, material, copy, options)
                    cells = label_segment(segment, units, n_edits) | {"corruptions": ",".join(kinds) or NO_CORRUPTION}
                    for suffix, cell in cells.items():
                        if suffix not in opened:
                            path = stage / f"{options.part}.{suffix}"
                            opened[suffix] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                        opened[suffix].write(f"{cell}\n")
                    counts.update(kinds or [NO_CORRUPTION])
                    n_written += 1
                    progress.advance(1)
        if not n_written:
            raise DataError.at(
                table or given[const.TARGET], None, found="no segment with words on both sides", expected="some"
            )
        if tuple(options.kinds) == ("foreign",) and not has_foreign:
            found, expected = "translations into one language only", f"several in {WINDOW:,} lines, for --kinds foreign"
            advice = "Add other kinds, or translations into another language."
            raise DataError.at(table or given[const.LANGUAGE_PAIR], None, found=found, expected=expected, advice=advice)
        if n_empty:
            logger.warning("Left out %s of %s segments: a side has no word.", f"{n_empty:,}", f"{n_read:,}")
        record = _record(given, table, names, options, counts, n_written, n_empty)
        write_json(stage / CORPUS_FILE, record | {"sha256": checksums(stage)})
    return CorruptInfo(output, n_written, counts, n_empty)


def _check_input(files: Mapping[str, Path], table: Path | None, columns: Mapping[str, str]) -> None:
    for name in columns:
        if name not in FIELDS:
            raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, FIELDS)}")
    if table is not None and files:
        raise ConfigError(f"--{next(iter(files))}: found a file beside the table {table}. Give a table or files.")
    if table is None and columns:
        raise ConfigError("--columns names columns of a table, but there is no table. Remove it, or give a table.")
    missing = [f"--{name}" for name in (const.SOURCE, const.TARGET) if name not in files]
    if table is None and missing:
        raise ConfigError(f"{', '.join(missing)}: not given; expected source and good translations, or a table.")


def _windows(
    files: Mapping[str, Path], table: Path | None, names: Mapping[str, str]
) -> Iterator[tuple[list[int], Columns, object]]:
    """Yield the numbers and the columns of segments, and the place of their language pairs."""
    if table is not None:
        for numbers, columns in stream_rows(table, names, WINDOW):
            yield numbers, columns, table
        return
    number = 1
    for columns in SegmentStream(files, WINDOW).unchecked():
        count = len(columns[const.SOURCE])
        yield list(range(number, number + count)), columns, files.get(const.LANGUAGE_PAIR)
        number += count


def _parse(numbers: Sequence[int], columns: Columns, place: object, options: CorruptOptions) -> list[Segment]:
    """Return the segments of a window."""
    pairs = [""] * len(numbers)
    if const.LANGUAGE_PAIR in columns:
        pairs = parse_language_pairs(columns[const.LANGUAGE_PAIR], place, first=numbers[0])
    own = options.source_language or "", options.target_language or ""
    splitters: dict[str, Tokenize | None] = {}
    segments = []
    for number, source, target, pair in zip(numbers, columns[const.SOURCE], columns[const.TARGET], pairs, strict=True):
        languages = split_pair(pair) if pair else own
        for language in languages:
            if language not in splitters:
                splitters[language] = splitter_for(language)
        source_units, target_units = (
            split_units(text, splitters[language]) for text, language in zip((source, target), languages, strict=True)
        )
        segments.append(Segment(number, source, target, pair, languages[1], source_units, target_units))
    return segments


def _schedule(segments: Sequence[Segment], options: CorruptOptions) -> Iterator[tuple[Segment, Material, int]]:
    """Yield each segment with what its errors can take from, once for each copy."""
    by_language: dict[str, list[Sequence[Unit]]] = {}
    for segment in segments:
        by_language.setdefault(segment.language, []).append(segment.target_units)
    foreign = {
        language: [units for other, texts in by_language.items() if other != language for units in texts]
        for language in by_language
    }
    for segment in segments:
        language = segment.language
        material = Material(
            source=segment.source_units,
            others=by_language[language],
            foreign=foreign[language] if language else (),
            negations=NEGATIONS.get(language_of(language), ()),
            separator=_separator(segment.target_units),
        )
        for copy in range(options.copies):
            yield segment, material, copy


def _separator(units: Sequence[Unit]) -> str:
    """Return what stands between two words of a text: nothing if it is written without spaces."""
    n_words = sum(unit.is_word for unit in units)
    return " " if n_words < 2 or any(unit.before and unit.is_word for unit in units[1:]) else ""


def _record(
    files: Mapping[str, Path],
    table: Path | None,
    names: Mapping[str, str],
    options: CorruptOptions,
    counts: Mapping[str, int],
    n_written: int,
    n_empty: int,
) -> dict[str, Any]:
    inputs = {name: str(path) for name, path in files.items()} if table is None else {"table": str(table)}
    return {
        "format": FORMAT,
        "source_language": options.source_language,
        "target_language": options.target_language,
        "post_edits": "corruptions",
        "input": inputs,
        "columns": {} if table is None else dict(names),
        "settings": asdict(options) | {"kinds": list(options.kinds)},
        "counts": {"segments": n_written, "empty": n_empty, "corruptions": dict(counts)},
        "versions": {"kiwi": __version__},
    }
