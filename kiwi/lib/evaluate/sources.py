"""The files of predictions and gold labels."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiwi import constants as const
from kiwi.data.files.lines import Columns, read_lines
from kiwi.data.files.tables import NAN, line_of_row, read_table
from kiwi.data.labels.ragged import parse_probabilities, parse_tags, ragged_tags, read_probabilities
from kiwi.data.labels.scores import is_missing
from kiwi.data.labels.verdicts import parse_verdict_scores, parse_verdicts
from kiwi.data.wmt.gold import TAG_COLUMNS, has_columns, read_gold_scores, read_gold_tags
from kiwi.data.wmt.seg_scores import SUFFIX
from kiwi.data.wmt.sentence_level import SENTENCE_COLUMNS
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.annotations import any_spans_source
from kiwi.lib.evaluate.excluded import words_of
from kiwi.lib.evaluate.language_pairs import PairLines
from kiwi.lib.evaluate.source import (
    Source,
    Sources,
    error_free_source,
    first_line,
    scores_of_lines,
    seg_scores_source,
    unified_source,
)
from kiwi.lib.evaluate.submitted import submitted_scores, submitted_tags
from kiwi.lib.evaluate.translations import KEYS, Translations
from kiwi.metrics.error_free import ERROR_FREE
from kiwi.metrics.spans import SPANS
from kiwi.outputs import OUTPUTS

if TYPE_CHECKING:
    from kiwi.lib.evaluate.config import Files
    from kiwi.lib.evaluate.files import GoldFiles, PredictedFiles, Table

logger = logging.getLogger(__name__)

IDENTIFIERS = ("system", const.LANGUAGE_PAIR, "doc", "seg")
"""The columns that together say which translation a row is, the MT system first."""

EXTRAS = const.SENTENCE_SCORES_EXTRAS
"""The file of means and standard deviations."""

INTERVALS = OUTPUTS[const.SENTENCE_SCORES].intervals
"""The file of the ends of intervals."""

NULL = "null"
"""The text of a gold label that is null in a table."""


def gold_by_prediction() -> dict[str, str]:
    """Return, for each file of predictions, the gold file that it is compared with."""
    fields: dict[str, str] = {}
    for spec in OUTPUTS.values():
        fields[spec.name] = spec.gold_field
        if spec.name == const.GAP_TAGS:
            fields[const.TARGETGAPS_TAGS] = spec.gold_field
    return fields


def given_fields(files: GoldFiles | PredictedFiles) -> list[str]:
    """Return the fields with values to compare that have a file or a column."""
    given = [name for name, path in files if path is not None and name != "table"]
    given += list(files.table.columns) if files.table is not None else []
    return [name for name in given if name not in IDENTIFIERS]


def collect_sources(config: Files, lines: PairLines | None = None, *, any_scale: bool = False) -> dict[str, Sources]:
    """Return the sources of each system's predictions, by the name of the system.

    Args:
        config: the files to compare.
        lines: the language pair of each line of the files, where it is known.
        any_scale: whether predictions of target words may be any finite numbers, rather than probabilities.
    """
    systems: dict[str, Sources] = {}
    identities: dict[str, set[Identity]] = {}
    for directory in config.predicted_dir or []:
        paths = {name: directory / name for name in (*gold_by_prediction(), EXTRAS, INTERVALS, const.ORIGIN_FILE)}
        sources = {name: _file_source(name, path, any_scale) for name, path in paths.items() if path.is_file()}
        if sources.pop(const.ERROR_SPANS, None) is not None:
            sources[SPANS] = any_spans_source(paths[const.ERROR_SPANS], config.language_pair, lines)
        _add(
            systems, _unique(str(directory), systems), sources, identities, {(n, p.resolve()) for n, p in paths.items()}
        )
    for index, files in enumerate(config.predicted_files or [], start=1):
        known = (*gold_by_prediction(), EXTRAS, INTERVALS)
        sources = {
            name: _file_source(name, path, any_scale) for name, path in files if path is not None and name in known
        }
        if files.error_free is not None:
            unified = unified_source(files.error_free, ERROR_FREE, config.language_pair)
            sources[ERROR_FREE] = unified or error_free_source(files.error_free)
        sources |= _table_sources(files.table, any_scale)
        if (path := files.sentence_submission) is not None:
            given = given_fields(config.gold_files)
            is_verdict = const.BINARY in given and const.SENTENCE_SCORES not in given
            sources |= submitted_scores(path, config.language_pair, lines, is_verdict=is_verdict)
        if (path := files.word_submission) is not None:
            sources |= submitted_tags(path, config.language_pair, lines)
        if (path := files.span_submission) is not None:
            sources[SPANS] = any_spans_source(path, config.language_pair, lines)
        parents = {str(source.path.parent) for source in sources.values()}
        name = parents.pop() if len(parents) == 1 else f"system {index}"
        if len(sources) == 1 and (own := next(iter(sources.values())).path.name).endswith(SUFFIX):
            name = own.removesuffix(SUFFIX)
        _add(systems, _unique(name, systems), sources, identities, _identity(files))
    return systems


Identity = tuple[str, object]
"""What a source is: the output, and its file or column."""


def _identity(files: PredictedFiles) -> set[Identity]:
    paths = {(name, path.resolve()) for name, path in files if isinstance(path, Path)}
    table = files.table
    return paths | (
        {(name, (table.path.resolve(), column)) for name, column in table.columns.items()} if table else set()
    )


def _add(
    systems: dict[str, Sources], name: str, sources: Sources, known: dict[str, set[Identity]], own: set[Identity]
) -> None:
    """Add a system, unless all of its files are those of another one, as OpenKiwi counts them."""
    if (other := next((other for other, identity in known.items() if own and own <= identity), None)) is not None:
        files = ", ".join(str(source.path) for source in sources.values())
        logger.warning("%s: given twice, and evaluated once, as %s.", files, other)
        return
    known[name], systems[name] = own, sources


def collect_gold(config: Files, excluded: Collection[int] = (), lines: PairLines | None = None) -> dict[str, Source]:
    """Return the sources of the gold labels and scores, by field; none of them may be missing for a segment.

    Args:
        config: the files to compare.
        excluded: the segments, counted from 0, that need no gold labels.
        lines: the language pair of each line of the files, where it is known.
    """
    files = config.gold_files
    others = (SPANS, const.LANGUAGE_PAIR)
    labels = {name: path for name, path in files if isinstance(path, Path) and name not in others}
    sources = {name: _gold_file(name, path, config, excluded) for name, path in labels.items()}
    if files.spans is not None:
        sources[SPANS] = any_spans_source(files.spans, config.language_pair, lines)
    if (table := files.table) is not None:
        names = {**table.columns}
        if not set(KEYS) & set(names):
            names.pop(const.LANGUAGE_PAIR, None)  # which is read elsewhere
        labels_of_rows = {name for name in names if name not in IDENTIFIERS}
        columns = cache(lambda: read_table(table.path, names, labels_of_rows, NULL))

        def column(name: str) -> list[str]:
            return columns()[name]

        keyed = _keys(table, columns)
        for name in (name for name in names if name in labels_of_rows):
            source = _gold_source(name, table.path, partial(column, name), excluded)
            sources[name] = replace(_of_rows(source, columns, {name: names[name]}, NULL), translations=keyed)
    return sources


def _of_rows(
    source: Source, table: Callable[[], Columns], column: Mapping[str, str], null: str | None = None
) -> Source:
    """Return a source of a column whose errors name the line of the table, not the number of its row."""

    def read() -> Any:
        table()  # whose own errors name their lines
        try:
            return source.read()
        except DataError as error:
            if error.line is None:
                raise
            nulls = None if null is None else dict.fromkeys(column, null)
            raise error.moved(source.path, line_of_row(source.path, column, error.line, nulls)) from error

    return replace(source, read=read)


def _keys(table: Table, columns: Callable[[], Mapping[str, list[str]]]) -> Callable[[], Translations] | None:
    """Return the function that reads which translation each row of a table is; None where no column says so."""
    if not set(KEYS) & set(table.columns):
        return None

    def read() -> Translations:
        cells = columns()
        segments = list(zip(*(cells[name] for name in IDENTIFIERS[1:] if name in cells), strict=True))
        return Translations(table.path, cells["system"], segments, columns=frozenset(IDENTIFIERS) & cells.keys())

    return read


def _gold_file(name: str, path: Path, config: Files, excluded: Collection[int]) -> Source:
    """Return a file with a segment per line, or one of WMT 2023, whose rows have further columns."""
    language_pair, plain = config.language_pair, _gold_source(name, path, partial(read_lines, path), excluded)
    if name == const.SENTENCE_SCORES and (by_system := seg_scores_source(path, words_of(config))):
        return by_system
    if name == ERROR_FREE:
        return unified_source(path, name, language_pair) or error_free_source(path, excluded)
    if name == const.SENTENCE_SCORES and (unified := unified_source(path, "scores", language_pair)):
        return unified

    def read() -> Any:
        first = first_line(path)
        if name == const.SENTENCE_SCORES and has_columns(first, SENTENCE_COLUMNS):
            return [float(score) for score in read_gold_scores(path, language_pair, excluded)]
        if name == const.TARGET_TAGS and has_columns(first, TAG_COLUMNS):
            return ragged_tags(read_gold_tags(path, language_pair, excluded))
        return plain.read()

    return replace(plain, read=read)


def _gold_source(name: str, path: Path, lines: Callable[[], list[str]], excluded: Collection[int]) -> Source:
    def labelled(instead: str) -> list[str]:
        return [instead if number in excluded else line for number, line in enumerate(lines())] if excluded else lines()

    if name == const.SENTENCE_SCORES:
        return Source(path, lambda: scores_of_lines(labelled("0"), path, is_gold=True))
    if name == const.BINARY:
        return Source(path, lambda: [float(verdict == const.BAD) for verdict in parse_verdicts(labelled("OK"), path)])
    return Source(path, lambda: parse_tags(_tags(lines(), excluded), path))


def _tags(lines: list[str], excluded: Collection[int]) -> list[str]:
    """Return lines of tags, in which excluded lines that have no tags are empty."""
    return [
        "" if number in excluded and not set(line.split()) <= {*const.LABELS} else line
        for number, line in enumerate(lines)
    ]


def _unique(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else f"{name} ({len(taken) + 1})"


def _kind(name: str) -> str:
    return OUTPUTS[name].kind if name in OUTPUTS else "tags"


def _parse(name: str, lines: list[str], path: Path, any_scale: bool) -> Any:
    """Parse the lines of an output's file or column."""
    if _kind(name) == "score":
        return scores_of_lines(lines, path)
    if _kind(name) == "verdict":
        return parse_verdict_scores([NAN if is_missing(line) else line for line in lines], path)
    return parse_probabilities(lines, path, any_scale=any_scale and name == const.TARGET_TAGS)


def _file_source(name: str, path: Path, any_scale: bool) -> Source:
    if name == const.SENTENCE_SCORES and (by_system := seg_scores_source(path)):
        return by_system
    if name == const.SENTENCE_SCORES and ("\t" in (first := first_line(path)).strip() or first.startswith("{")):
        advice = "Give submissions as sentence_submission, and tables as table."
        raise DataError.at(path, 1, found=f"'{first:.60}'", expected="a score on each line", advice=advice)
    if _kind(name) == "tags":
        return Source(path, lambda: read_probabilities(path, any_scale=any_scale and name == const.TARGET_TAGS))
    return Source(path, lambda: _parse(name, read_lines(path), path, any_scale))


def _table_sources(table: Table | None, any_scale: bool) -> dict[str, Source]:
    if table is None:
        return {}
    nullable = {name for name in table.columns if name not in IDENTIFIERS and _kind(name) != "tags"}
    columns = cache(lambda: read_table(table.path, table.columns, nullable))

    def source(name: str) -> Source:
        found = Source(
            table.path, lambda: _parse(name, columns()[name], table.path, any_scale), translations=_keys(table, columns)
        )
        return _of_rows(found, columns, {name: table.columns[name]}, NAN if name in nullable else None)

    return {name: source(name) for name in table.columns if name not in IDENTIFIERS}


def checkpoint_hash(sources: Sources) -> str:
    """Return the hash of the checkpoint that predictions were made with; empty if it is not known."""
    with suppress(KeyError, OSError, ValueError, TypeError):
        return str(json.loads(sources[const.ORIGIN_FILE].path.read_text(encoding="utf-8"))["checkpoint"])
    return ""
