"""The candidates of each source in n-best lists: lines, rows, columns or lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.files.cells import describe_cell, field_text
from kiwi.data.files.lines import count_surplus, stream_lines
from kiwi.data.files.tables import table_rows
from kiwi.data.segments.bad_rows import BadRows
from kiwi.data.segments.piped import STDIN, pipe_rows
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.score.inputs import Input

LIST = "list"
"""The value of ``--best-of`` for cells that are lists of candidates."""

PER_SOURCE = (const.SOURCE, const.SOURCE_POS)
"""The fields that the candidates of a source share, in files of one line per source."""


@dataclass(frozen=True)
class Candidate:
    """A candidate translation of a source."""

    line: int
    """The number of its line or row."""

    texts: Mapping[str, str]
    """The text of each field."""

    error: DataError | None = None
    """Why its line or row is not valid; its texts are blank then."""

    content: Any = None
    """The content of a line or row that is not valid."""


@dataclass(frozen=True)
class Group:
    """The candidates of a source."""

    number: int
    """The number of the line or row of the source."""

    key: str | None
    """The cell that its rows share, other than the source; None where there is none."""

    candidates: Sequence[Candidate]


@dataclass(frozen=True)
class BestOf:
    """Where the candidates of a source are."""

    n: int | None = None
    """The number of candidates of each source."""

    column: str | None = None
    """The column of a table whose cell the rows of a source share; they follow one another."""

    is_list: bool = False
    """Whether the cells of ``target`` are lists of candidates."""

    target_columns: Sequence[str] = ()
    """The columns of the candidates, if each has one."""

    @classmethod
    def parse(cls, text: str, segments: Input, target_columns: Sequence[str] = ()) -> BestOf:
        """Parse the value of ``--best-of``.

        Args:
            text: a number, ``list``, or the name of a column.
            segments: the input of segments.
            target_columns: the columns of ``target``, if there are several.

        Raises:
            ConfigError: when it does not fit the input.
        """
        several = target_columns if len(target_columns) > 1 else ()
        is_number = text.isascii() and text.isdigit()
        if is_number and int(text) < 2:
            raise ConfigError(f"--best-of: found {text}; expected the number of candidates of each source, 2 or more.")
        if several and text != str(len(several)):
            raise ConfigError(
                f"--best-of: found {text}, but --columns names {len(several)} columns of translations. Set --best-of "
                f"{len(several)}, or name one column."
            )
        if not is_number and (segments.files or (segments.table is None and segments.pipe_form == "tsv")):
            raise ConfigError(
                f"--best-of: found '{text}'; expected the number of candidates of each source, since there is no table."
            )
        if several and segments.table is None and segments.pipe_form == "tsv":
            raise ConfigError("--columns names columns of a table, or of a pipe of JSON Lines (--input-format jsonl).")
        if len({*several, *segments.columns.values()}) < len(several) + len(segments.columns):
            raise ConfigError("--columns: found the same column twice. Name each column once.")
        if text in RESULTS:
            raise ConfigError(f"--best-of: found '{text}', which is a column of the result. Rename the column.")
        if is_number:
            return cls(int(text), target_columns=several)
        return cls(None, None if text == LIST else text, text == LIST)

    @property
    def is_row(self) -> bool:
        """Whether all candidates of a source are in one row."""
        return self.is_list or bool(self.target_columns)

    def read(self, segments: Input, fields: Sequence[str], bad: BadRows) -> Iterator[Group]:
        """Read the candidates of each source.

        Args:
            segments: the input of segments.
            fields: the fields that the system reads.
            bad: what happens to lines and rows that are not valid.

        Raises:
            ConfigError: when there is no file for a field, or nothing to read.
            DataError: when lines or rows do not belong to sources; or, if they stop the command, are not valid.
        """
        if segments.files:
            if missing := [name for name in fields if name not in segments.files]:
                options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
                raise ConfigError(f"This system reads {', '.join(fields)}. Add {options}.")
            assert self.n is not None
            return _read_lines({name: segments.files[name] for name in fields}, self.n, bad)
        columns = {name: segments.columns.get(name, name) for name in fields}
        place = STDIN if segments.table is None else segments.table
        if self.is_row:
            return self._read_cells(segments, columns, place)
        if self.column is None:
            assert self.n is not None
            return _in_groups_of(self.n, _candidates(segments, columns, place), place)
        key = const.SOURCE if self.column == columns[const.SOURCE] else KEY
        named = columns if key == const.SOURCE else columns | {KEY: self.column}
        return _by_key(_candidates(segments, named, place), key, self.column, place)

    def _read_cells(self, segments: Input, columns: Mapping[str, str], place: Path) -> Iterator[Group]:
        """Read rows that have all candidates of a source each."""
        own = {name: column for name, column in columns.items() if name != const.TARGET}
        targets = self.target_columns or [columns[const.TARGET]]
        for number, cells, content in _rows(segments, [*own.values(), *targets]):
            try:
                if isinstance(cells, DataError):
                    raise cells
                shared = {
                    name: field_text(name, cells[i], place, number, column)
                    for i, (name, column) in enumerate(own.items())
                }
                found = cells[len(own) :]
                if self.is_list:
                    found = found[0]
                    if not isinstance(found, list) or not found:
                        what = "an empty list" if found == [] else describe_cell(found)
                        expected = "a list of candidates, since --best-of is list"
                        raise DataError.at(place, number, found=f"{what} in column '{targets[0]}'", expected=expected)
                names = list(targets) * len(found) if self.is_list else targets
                texts = [
                    field_text(const.TARGET, cell, place, number, name) for cell, name in zip(found, names, strict=True)
                ]
                yield Group(number, None, [Candidate(number, shared | {const.TARGET: text}) for text in texts])
            except DataError as error:
                blank = dict.fromkeys(columns, "")
                yield Group(number, None, [Candidate(number, blank, error, content)])


KEY = "*key*"
"""The field of the column whose cell the rows of a source share, other than the source."""

RESULTS = ("target", "candidate", "candidates", "margin")
"""The columns of the result that precede the predictions."""


def _rows(segments: Input, names: Sequence[str]) -> Iterator[tuple[int, Any, Any]]:
    """Yield the number of each row, its cells or the error of an invalid one, and its content."""
    if segments.table is not None:
        has_header = not segments.starts_with_segment
        with closing(table_rows(segments.table, names, has_header=has_header)) as rows:
            yield from rows
    elif segments.pipe is None:
        raise ConfigError("Standard input is closed. Add --source and --target, or a table, or a pipe.")
    else:
        # A table in a pipe is refused before.
        yield from pipe_rows(segments.pipe, "jsonl" if segments.pipe_form == "jsonl" else "tsv", names)


def _candidates(segments: Input, columns: Mapping[str, str], place: Path) -> Iterator[Candidate]:
    """Yield rows of one candidate each."""
    for number, cells, content in _rows(segments, list(columns.values())):
        try:
            if isinstance(cells, DataError):
                raise cells
            texts = zip(columns.items(), cells, strict=True)
            yield Candidate(
                number, {name: field_text(name, cell, place, number, column) for (name, column), cell in texts}
            )
        except DataError as error:
            yield Candidate(number, dict.fromkeys(columns, ""), error, content)


def _in_groups_of(n: int, candidates: Iterable[Candidate], place: Path) -> Iterator[Group]:
    """Yield groups of ``n`` rows, which have the same source."""
    rest = iter(candidates)
    n_rows = 0
    while part := list(islice(rest, n)):
        n_rows += len(part)
        if len(part) < n:
            raise DataError(
                f"{place}: found {n_rows} rows, which is {n_rows // n} sources of {n} candidates each and "
                f"{len(part)} more; expected {n} rows for each source (--best-of {n})."
            )
        valid = [each for each in part if each.error is None]
        for each in valid:
            source, expected = each.texts[const.SOURCE], valid[0].texts[const.SOURCE]
            if source != expected:
                raise DataError.at(
                    place,
                    each.line,
                    found=f"the source '{source:.60}'",
                    expected=f"'{expected:.60}', as in line {valid[0].line}, since each source has {n} rows",
                    advice="Set --best-of source for rows that share their source, however many.",
                )
        yield Group(part[0].line, None, part)


def _by_key(candidates: Iterable[Candidate], key: str, column: str, place: Path) -> Iterator[Group]:
    """Yield the rows that follow one another with the same key; invalid ones belong to those before them."""
    last = ""

    def key_of(candidate: Candidate) -> str:
        nonlocal last
        if candidate.error is None:
            last = candidate.texts[key]
        return last

    seen: dict[str, int] = {}
    for value, rows in groupby(candidates, key_of):
        part = list(rows)
        if key == KEY and (line := seen.setdefault(value, part[0].line)) != part[0].line:
            found, expected = (
                f"'{value:.60}' in column '{column}' again",
                f"all its rows behind one another, at line {line}",
            )
            raise DataError.at(place, part[0].line, found=found, expected=expected, advice="Sort the rows.")
        yield Group(part[0].line, None if key == const.SOURCE else value, part)


def _read_lines(files: Mapping[str, Path], n: int, bad: BadRows) -> Iterator[Group]:
    """Yield the ``n`` lines of each source, from files of which some have one line per source."""
    damaged: dict[tuple[str, int], tuple[DataError, Any]] = {}

    def noting(name: str) -> Any:
        return lambda number, error, line: damaged.update({(name, number): (error, line)})

    times = {name: 1 if name in PER_SOURCE else n for name in files}
    with ExitStack() as stack:
        lines = {
            name: stack.enter_context(closing(stream_lines(path, None if bad.note is None else noting(name))))
            for name, path in files.items()
        }
        number = 0
        while True:
            part = {name: list(islice(stream, times[name])) for name, stream in lines.items()}
            if any(len(part[name]) < times[name] for name in files):
                done = {name: number * times[name] for name in files}
                surplus = {name: count_surplus([*part[name], *lines[name]], files[name]) for name in files}
                if any(surplus.values()):
                    raise _miscounted(files, {name: done[name] + surplus[name] for name in files}, n)
                return
            number += 1
            candidates = []
            for place in range(n):
                line = (number - 1) * n + place + 1
                keys = [(name, number if name in PER_SOURCE else line) for name in files]
                error = next((damaged[key] for key in keys if key in damaged), (None, None))
                texts = {name: part[name][0 if name in PER_SOURCE else place] for name in files}
                candidates.append(Candidate(line, texts if error[0] is None else dict.fromkeys(texts, ""), *error))
            yield Group(number, None, candidates)


def _miscounted(files: Mapping[str, Path], counts: Mapping[str, int], n: int) -> DataError:
    source, target = counts[const.SOURCE], counts[const.TARGET]
    others = [
        f"{files[name]} has {count}" for name, count in counts.items() if name not in (const.SOURCE, const.TARGET)
    ]
    more = f" ({', '.join(others)})" if others else ""
    return DataError(
        f"{files[const.TARGET]} has {target} lines, {files[const.SOURCE]} has {source}{more}; expected {n * source}, "
        f"{n} candidates for each source (--best-of {n})."
    )
