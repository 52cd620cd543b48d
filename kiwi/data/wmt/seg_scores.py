"""Score files of mt-metrics-eval, ``*.seg.score``: the scores of several MT systems, one after another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiwi.data.labels.scores import is_missing, parse_score
from kiwi.exceptions import DataError

SUFFIX = ".seg.score"
"""The end of the name of such a file, before which stands the name of the metric."""

FORM = "the name of an MT system and a score, or None"


@dataclass(frozen=True)
class SegScores:
    """The scores of the translations of several MT systems; all systems have the same segments, in the same order."""

    systems: list[str]
    """The MT system of each line."""

    segments: list[int]
    """The number of the segment of each line, counted from 0 within its MT system."""

    scores: list[float]
    """The score of each line, NaN where it has none."""


def is_seg_scores(path: Path, lines: Iterable[str]) -> bool:
    """Return whether a file has the name of an MT system and a score on each line, rather than a score alone.

    The first line with a score decides, because any word may stand in the place of one. Names that could be scores are
    names where the file is named ``*.seg.score``.

    Args:
        path: the file.
        lines: its lines.
    """
    for cells in map(str.split, lines):
        if len(cells) == 2 and (path.name.endswith(SUFFIX) or (is_score(cells[1]) and not is_score(cells[0]))):
            return True
        if len(cells) > 2 or (len(cells) == 1 and is_score(cells[0]) and not is_missing(cells[0])):
            return False
    return False


def is_score(text: str) -> bool:
    """Return whether a text is a score, or stands in the place of a missing one."""
    try:
        parse_score(text)
    except ValueError:
        return is_missing(text)
    return True


def parse_seg_scores(lines: Sequence[str], path: Path, words: Collection[str] = ()) -> SegScores:
    """Parse the lines of a ``*.seg.score`` file.

    Args:
        lines: the lines.
        path: the file, for errors.
        words: the words, in lower case, that stand in the place of the score of a translation without one.

    Raises:
        DataError: at the first other line, or when MT systems have different numbers of segments.
    """
    found = SegScores([], [], [])
    counts: dict[str, int] = {}
    end = max((number for number, line in enumerate(lines, start=1) if line.strip()), default=0)
    for number, line in enumerate(lines[:end], start=1):
        system, *rest = line.split() or [""]
        has_none = len(rest) == 1 and (is_missing(rest[0]) or rest[0].lower() in words)
        if len(rest) != 1 or not (has_none or is_score(rest[0])):
            raise DataError.at(path, number, found=f"'{line:.60}'", expected=FORM)
        found.systems.append(system)
        found.segments.append(counts.get(system, 0))
        found.scores.append(float("nan") if has_none else float(rest[0]))
        counts[system] = found.segments[-1] + 1
    size = max(counts.values(), default=0)
    for system, count in counts.items():
        if count != size:
            expected = f"{size}, as other MT systems have"
            raise DataError.at(path, None, found=f"{count} segments of '{system:.60}'", expected=expected)
    return found
