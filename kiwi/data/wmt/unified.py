"""Files of the unified tasks of WMT25 and WMT26, which have scores, error spans or verdicts of several MT systems.

Four forms are recognized by their first line:

- TSV of WMT25 (tasks 1 and 2): ``doc_id segment_id source_lang target_lang set_id system_id ...`` with ``overall``, or
  with ``start_indices end_indices error_types``, in files of gold labels with ``hypothesis_segment``;
- JSON Lines of submissions to WMT26: ``item_id`` with ``task1_pred`` (errors), ``task2_pred`` (scores) or
  ``task3_pred`` (1 for a segment without errors), each by MT system;
- JSON Lines of human evaluation of WMT25: ``doc_id``, ``tgt_text`` and ``scores``, by MT system, with a list of
  annotations for each. Each annotation is a line of its own;
- JSON Lines with an object for each translation, as participants write them: ``doc_id`` (or ``item_id``) and
  ``system``, with ``score`` or ``error_free``, and perhaps ``lp`` and ``segment_id``.

Sets other than the official one, such as challenge sets, are left out.
"""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from kiwi.constants import UNDECIDED
from kiwi.data.files.lines import stream_lines
from kiwi.data.labels.error_spans import NO_ERROR, SEVERITIES, ErrorSpan
from kiwi.data.labels.scores import is_missing, parse_score
from kiwi.data.labels.spans.raw import REMARKS, unquoted
from kiwi.data.text.language_pairs import pair_key
from kiwi.data.wmt.unified_forms import (
    ALL,
    MISSING,
    OF_ONE,
    OFFICIAL,
    SPAN_COLUMNS,
    of_one,
    parts_of,
)
from kiwi.exceptions import DataError

logger = logging.getLogger(__name__)

END = 2**31 - 1
"""The position of the end of a text that is not known."""

AS_OFFICIAL = "read as the official scorer does"


@dataclass
class Unified:
    """The translations of a file, and what it says about them."""

    path: Path
    systems: list[str] = field(default_factory=list)
    """The MT system of each translation."""

    segments: list[tuple[str, ...]] = field(default_factory=list)
    """The document and the number of the segment of each translation."""

    targets: list[str] = field(default_factory=list)
    """The translations; empty where the file does not have them."""

    pairs: list[str] = field(default_factory=list)
    """The language pair of each translation; empty where the file does not say it."""

    raters: list[str] = field(default_factory=list)
    """Who has annotated each translation; none where the file does not say it."""

    scores: list[float] = field(default_factory=list)
    """The score of each translation, NaN where it has none."""

    spans: list[list[ErrorSpan]] = field(default_factory=list)
    """The error spans of each translation."""

    error_free: list[float] = field(default_factory=list)
    """Whether each translation is free of errors, 1, 0 or a probability, NaN where the file does not say it."""


def read_unified(path: Path, what: str, language_pair: str | None = None) -> Unified:
    """Read a file of the unified tasks.

    Args:
        path: the file.
        what: what to read: ``scores``, ``spans`` or ``error_free``.
        language_pair: the language pair to read, such as ``en-cs_CZ``; None stands for the only pair of the file.

    Raises:
        DataError: at the first line that is invalid or has not what is to be read, and for several language pairs.
    """
    reader = _Reader(path, what, language_pair)
    with closing(stream_lines(path)) as lines:
        numbered = enumerate(lines, start=1)
        first = next(numbered, (1, ""))
        if first[1].startswith("{"):
            reader.read_json(first)
            for line in numbered:
                reader.read_json(line)
        else:
            reader.read_table(first[1].split("\t"), numbered)
    return reader.close()


def _number(value: object) -> float:
    """Return a finite number, or NaN where there is none.

    Raises:
        ValueError: for anything else.
    """
    text = str(value).strip()
    return float("nan") if is_missing(text) else parse_score(text)


class _Reader:
    """Reads the lines of a file, and counts what is odd about them."""

    def __init__(self, path: Path, what: str, language_pair: str | None) -> None:
        self.found = Unified(path)
        self.what = what
        self.asked = None if language_pair is None else pair_key(language_pair)
        self.pairs: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()

    def fail(self, line: int | None, found: str, expected: str, advice: str = "") -> NoReturn:
        raise DataError.at(self.found.path, line, found=found, expected=expected, advice=advice)

    def is_wanted(self, pair: str, set_id: str) -> bool:
        """Return whether a translation is of the official set and of the language pair that is read."""
        if set_id not in ("", OFFICIAL):
            self.others[set_id] += 1
            return False
        self.pairs[pair] += 1
        return self.asked in (None, pair_key(pair))

    def add(self, number: int, system: str, segment: tuple[str, ...], target: str | None, value: Any) -> None:
        """Add a translation with its score, its spans or its verdict."""
        self.found.systems.append(system)
        self.found.segments.append(segment)
        self.found.targets.append(target or "")
        if self.what == "spans":
            self.found.spans.append(value)
        elif self.what == "scores":
            self.found.scores.append(self.score(number, value))
        else:
            self.found.error_free.append(self.verdict(number, value))

    def score(self, number: int, value: object) -> float:
        try:
            return _number(value)
        except ValueError:
            self.fail(number, f"the score '{value!s:.60}'", "a finite number, or none")

    def verdict(self, number: int, value: object) -> float:
        try:
            found = _number(float(value) if isinstance(value, bool) else value)
        except ValueError:
            found = float("inf")
        if not (math.isnan(found) or 0.0 <= found <= 1.0):
            self.fail(number, f"'{value!s:.60}'", "1 or 0, a probability of being free of errors, or none")
        return found

    def read_table(self, names: list[str], lines: Iterator[tuple[int, str]]) -> None:
        """Read rows of WMT25."""
        needed = SPAN_COLUMNS if self.what == "spans" else ("overall",) if self.what == "scores" else ("error_free",)
        if lacking := [name for name in needed if name not in names]:
            advice = "Corrections (task 3 of WMT25) cannot be evaluated." if "post_edit" in names else ""
            self.fail(1, f"no column {', '.join(lacking)}", f"{', '.join(needed)} among the columns", advice)
        for number, line in lines:
            if not line.strip():
                continue
            cells = line.split("\t")
            if not "".join(cells[len(names) :]).strip():
                cells = cells[: len(names)]  # tabs at the end
            if len(cells) != len(names):
                self.fail(number, f"{len(cells)} columns", f"{len(names)}, as line 1 has")
            row = dict(zip(names, map(unquoted, cells), strict=True))
            if row["segment_id"] == ALL:
                expected = "a row for each translation, as in segments.tsv"
                self.fail(number, f"the mean of a whole MT system (segment_id {ALL})", expected)
            if not self.is_wanted(f"{row['source_lang']}-{row['target_lang']}", row.get("set_id", "")):
                continue
            target = row.get("hypothesis_segment")
            value: Any = row[needed[0]] if self.what != "spans" else self.row_spans(number, row, target)
            self.add(number, row["system_id"], (row["doc_id"], row["segment_id"]), target, value)

    def row_spans(self, number: int, row: Mapping[str, str], target: str | None) -> list[ErrorSpan]:
        starts, ends, types = (row[name].split() for name in SPAN_COLUMNS)
        if [name.lower() for name in types] == [NO_ERROR]:
            return []
        if not (starts and ends and types):
            self.odd[f"rows without positions or severities; {AS_OFFICIAL}"] += 1
            return []
        if not len(starts) == len(ends) == len(types):
            self.odd[f"rows with different numbers of starts, ends and severities; {AS_OFFICIAL}"] += 1
        found = (self.span(number, *cells, target) for cells in zip(starts, ends, types, strict=False))
        return [span for span in found if span is not None]

    def span(self, number: int, start: object, end: object, severity: object, target: str | None) -> ErrorSpan | None:
        """Return a span; None for one that marks nothing."""
        name = str(severity).strip().lower()
        if name == NO_ERROR:
            return None
        if name in REMARKS and name != UNDECIDED:
            self.odd[f"spans that are {name}, which are left out; {AS_OFFICIAL}"] += 1
            return None
        if name not in (*SEVERITIES, UNDECIDED):
            self.fail(number, f"the severity '{severity!s:.60}'", f"one of {', '.join((*SEVERITIES, UNDECIDED))}")
        if MISSING in (start, end):
            place = END if target is None else len(target)
            return ErrorSpan(place, place, name)
        try:
            first, after = int(str(start)), int(str(end))
        except ValueError:
            self.fail(number, f"the span '{start!s:.30}' to '{end!s:.30}'", f"whole numbers, or {MISSING}")
        if first < 0 or after < first:
            # The official scorer counts a negative position from the end of the text, as slices of Python do.
            self.odd["spans that end before they start, or have a negative position; they mark nothing"] += 1
            return None
        if target is not None and after > len(target):
            self.odd[f"spans that end beyond their text; {AS_OFFICIAL}"] += 1
            if first > len(target):
                return None
            after = len(target)
        return ErrorSpan(first, after, name)

    def read_json(self, numbered: tuple[int, str]) -> None:
        """Read a line of a submission to WMT26, or of the human evaluation of WMT25."""
        number, line = numbered
        if not line.strip():
            return
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            self.fail(number, f"'{line:.60}'", "a JSON object")
        identifier = row.get("item_id", row.get("doc_id")) if isinstance(row, dict) else None
        if not isinstance(identifier, str):
            self.fail(number, "no item_id", "the identifier of a segment")
        pair, set_id, segment = parts_of(identifier)
        if isinstance(system := row.get("system"), str):
            pair, segment = of_one(row, pair, segment)
            if (name := OF_ONE.get(self.what)) is None or name not in row:
                expected = name or "task1_pred by MT system"
                self.fail(number, f"no {expected}", f"{expected} of each translation")
            if self.is_wanted(pair, set_id):
                self.add(number, system, segment, None, row[name])
            return
        if self.is_wanted(pair, set_id):
            targets = row.get("tgt_text", row.get("hyps"))
            for system, value in self.values(number, row):
                target = targets.get(system) if isinstance(targets, dict) else None
                if not isinstance(target, str | None):
                    self.fail(number, f"the translation {target!r:.60} of {system:.60}", "text")
                self.add(number, system, segment, target, self.convert(number, value, target))

    def values(self, number: int, row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield each MT system of a line with its value or annotation."""
        name = {"spans": "task1_pred", "scores": "task2_pred", "error_free": "task3_pred"}[self.what]
        by_system = row.get("scores" if "tgt_text" in row else name)
        if not isinstance(by_system, dict):
            self.fail(number, f"no {name}", f"{name} by MT system")
        for system, value in by_system.items():
            if "tgt_text" not in row:
                yield system, value
            for annotation in value if "tgt_text" in row and isinstance(value, list) else ():
                yield system, annotation

    def convert(self, number: int, value: Any, target: str | None) -> Any:
        """Return the spans of an annotation, or its score."""
        if self.what != "spans":
            return value.get("score") if isinstance(value, dict) else value
        errors = value.get("errors") if isinstance(value, dict) else value
        if not isinstance(errors, list | None) or not all(isinstance(error, dict) for error in errors or ()):
            self.fail(number, f"'{value!s:.60}'", "a list of errors")
        spans = []
        for error in errors or ():
            start, end = (error.get(name, error.get(f"{name}_i")) for name in ("start", "end"))
            spans.append(self.span(number, start, end, error.get("severity"), target))
        if isinstance(value, dict) and (omission := value.get("omission")):
            spans.append(self.span(number, MISSING, MISSING, omission, target))
        return [span for span in spans if span is not None]

    def close(self) -> Unified:
        """Check and return what was read, and log what is odd."""
        path, pairs = self.found.path, ", ".join(self.pairs)
        if self.asked is None and len(self.pairs) > 1:
            advice = "Set language_pair to the one to read."
            self.fail(None, f"several language pairs: {pairs:.200}", "one language pair", advice)
        if not self.found.systems:
            self.fail(None, f"language pairs {pairs or 'none'}", f"a translation of {self.asked or 'the official set'}")
        if self.others:
            total = sum(self.others.values())
            logger.info("%s: %d translation(s) of other sets (%s) are left out.", path, total, ", ".join(self.others))
        for what, count in self.odd.items():
            logger.warning("%s: %d %s.", path, count, what)
        self.found.pairs = [next(pair for pair in self.pairs if self.asked in (None, pair_key(pair)))] * len(
            self.found.systems
        )
        return self.found
