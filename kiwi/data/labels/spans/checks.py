"""Checks of annotated spans against the text that their positions count, and what happens to those that fail."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from kiwi.data.labels.error_spans import MQM_WEIGHTS, SEVERITIES, ErrorSpan, Spans
from kiwi.data.labels.spans.options import Severity
from kiwi.data.labels.spans.raw import NORMALIZATION, REMARKS, RawSpan, has_in_other_form
from kiwi.exceptions import DataError
from kiwi.utils.io import BaseConfig, Weight

logger = logging.getLogger(__name__)


class SpanDataConfig(BaseConfig):
    """What is read from files of error spans."""

    raters: Literal["all", "majority"] = "all"
    """What becomes of several raters of one translation. ``all`` learns from the share of raters who marked a place;
    ``majority`` keeps what more than half of them marked, with the severity that more than half of them reach."""

    on_bad_span: Literal["error", "clip", "drop"] = "error"
    """What happens to a span that does not fit its text. ``error`` stops, and names the line. ``clip`` cuts a span
    where the text begins or ends, and leaves out a span that ends before it starts, or of which nothing is left.
    ``drop`` leaves all of them out. Both warn, with counts."""

    as_scores: bool = False
    """Whether the penalty of MQM that follows from the spans, where lower is better, is the sentence score of each
    segment, in the place of ``output.sentence_scores``: at most 25, and of several raters the mean."""

    mqm_weights: dict[Severity, Weight] = Field(default=dict(MQM_WEIGHTS))  # type: ignore[arg-type]
    """The points of penalty of each severity, for ``as_scores``."""

    @field_validator("mqm_weights")
    @classmethod
    def complete_weights(cls, weights: dict[Severity, float]) -> dict[Severity, float]:
        """Add the default weight of each severity that is not given."""
        return {**MQM_WEIGHTS, **weights}  # type: ignore[dict-item]

    @model_validator(mode="after")
    def check_weights(self) -> SpanDataConfig:
        """Reject weights that have no effect."""
        # A configuration that kiwi has written has the default weights.
        if self.mqm_weights != MQM_WEIGHTS and not self.as_scores:
            raise ValueError("mqm_weights has no effect without as_scores: true; add it, or remove mqm_weights")
        return self


def is_error(span: RawSpan, path: Path, line: int) -> bool:
    """Return whether a span is an error, and not a remark.

    Args:
        span: the span.
        path: its file, for errors.
        line: the number of its line.

    Raises:
        DataError: for a severity that is not known.
    """
    if span.severity in REMARKS:
        return False
    if span.severity not in SEVERITIES:
        expected = f"one of {', '.join((*SEVERITIES, *REMARKS))}"
        raise DataError.at(path, line, found=f"the severity '{span.severity:.40}'", expected=expected)
    return True


class SpanChecker:
    """Checks the spans of a file.

    Whether positions count something else than code points shows only in all lines together, so the first span that
    does not fit is reported by :meth:`finish`.

    Args:
        path: the file.
        on_bad: what happens to spans that do not fit; see :attr:`SpanDataConfig.on_bad_span`.
    """

    def __init__(self, path: Path, on_bad: Literal["error", "clip", "drop"] = "error") -> None:
        self._path = path
        self._on_bad = on_bad
        self._counts: Counter[str] = Counter()
        self._has_beyond = False
        self._has_other_form = False
        self._first: tuple[int, RawSpan, str] | None = None
        self._encodings = {"UTF-16 units, as Java and JavaScript do": "utf-16-le", "bytes of UTF-8": "utf-8"}

    def check(self, line: int, spans: Sequence[RawSpan], target: str | None) -> Spans:
        """Return the spans of a rater that fit the translation.

        Args:
            line: the number of the line.
            spans: the spans.
            target: the translation; None where it is not known, so that spans may end anywhere.

        Raises:
            DataError: for a severity that is not known.
        """
        kept = []
        if target is not None:
            self._note_encodings([span for span in spans if span.is_placed], target)
        for span in spans:
            if not is_error(span, self._path, line) or not span.is_placed:
                self._counts["remarks"] += 1
                continue
            size = span.end if target is None else len(target)
            expected = _expected(span, target)
            if not expected:
                kept.append(ErrorSpan(*span[:4]))
                continue
            self._counts["bad"] += 1
            self._first = self._first or (line, span, expected)
            self._has_beyond = self._has_beyond or span.end > size
            if target is not None and span.text is not None:
                self._has_other_form |= has_in_other_form(target, span.text)
            start, end = max(span.start, 0), min(span.end, size)
            if self._on_bad == "clip" and start < end and span.text is None:
                self._counts["clipped"] += 1
                kept.append(ErrorSpan(start, end, *span[2:4]))
        return tuple(kept)

    def finish(self) -> None:
        """Log what was left out and cut, or raise an error about it.

        Raises:
            DataError: when a span does not fit its text, and ``on_bad`` is ``error``.
        """
        if n_remarks := self._counts["remarks"]:
            logger.info("%s: left out %d span(s), neutral, undecided, or without a position.", self._path, n_remarks)
        if self._first is None:
            return
        line, span, expected = self._first
        n_bad, n_clipped = self._counts["bad"], self._counts["clipped"]
        advice = ""
        if self._has_other_form:
            advice = f"{NORMALIZATION} "
        elif self._has_beyond and self._encodings:
            advice = f"Perhaps they count {next(iter(self._encodings))}: convert them to code points. "
        found = f"the span {span.start} to {span.end}, {span.severity}"
        if self._on_bad == "error":
            more = f" {n_bad - 1} more span(s) of the file do not fit." if n_bad > 1 else ""
            advice += "Or set" if advice else "Correct it, or set"
            advice += f" data.spans.on_bad_span (kiwi thresholds: --on-bad-span) to clip or drop.{more}"
            raise DataError.at(self._path, line, found=found, expected=expected, advice=advice)
        logger.warning(
            "%s: %d span(s) do not fit their text, the first in line %d (found %s; expected %s); cut %d of them, and "
            "left out %d. %s",
            self._path,
            n_bad,
            line,
            found,
            expected,
            n_clipped,
            n_bad - n_clipped,
            advice,
        )

    def _note_encodings(self, spans: Sequence[RawSpan], target: str) -> None:
        """Keep the encodings in which all positions of all lines lie between characters."""
        if not spans or target.isascii():
            places = [place for span in spans for place in span[:2]]
            if any(place > len(target) for place in places):
                self._encodings.clear()
            return
        for name, codec in list(self._encodings.items()):
            data = target.encode(codec, "surrogatepass")
            if not all(_is_between(data, place, codec) for span in spans for place in span[:2]):
                del self._encodings[name]


def _is_between(data: bytes, place: int, codec: str) -> bool:
    """Return whether a position lies between two characters of an encoded text, or at one of its ends."""
    if codec == "utf-8":  # neither beyond the text nor at a byte that continues a character
        return place == len(data) or (0 <= place < len(data) and data[place] & 0xC0 != 0x80)
    last = 2 * place + 1  # the byte that says whether a unit is the second half of a character
    return last == len(data) + 1 or (0 <= last < len(data) and not 0xDC <= data[last] <= 0xDF)


def _expected(span: RawSpan, target: str | None) -> str:
    """Return what is expected of a span that does not fit a translation; empty for one that does."""
    if target is None:
        return "" if 0 <= span.start <= span.end else "0 ≤ start ≤ end"
    if not 0 <= span.start <= span.end <= len(target):
        return f"0 ≤ start ≤ end ≤ {len(target)}, in code points of the translation"
    if span.text is not None and span.text != target[span.start : span.end]:
        return f"the text {span.text!r:.60} there, rather than {target[span.start : span.end]!r:.60}"
    return ""


def majority_of(raters: Sequence[Spans], size: int) -> Spans:
    """Return what more than half of the raters of a translation marked.

    A character, or an omission at a position, gets the most severe class that more than half of the raters reach; runs
    of characters of one class are the spans. Of two raters, both have to agree.

    Args:
        raters: the spans of each rater.
        size: the number of characters of the translation.
    """
    if len(raters) < 2:
        return raters[0] if raters else ()
    classes = {severity: rank for rank, severity in enumerate(SEVERITIES, start=1)}
    characters = [[0] * len(raters) for _ in range(size)]
    omissions: dict[int, list[int]] = {}
    for index, spans in enumerate(raters):
        for span in spans:
            rank = classes[span.severity]
            if span.start == span.end:
                places = [omissions.setdefault(span.start, [0] * len(raters))]
            else:
                places = characters[span.start : span.end]
            for ranks in places:
                ranks[index] = max(ranks[index], rank)
    # More than half of the sorted ranks are at least the one just before the middle.
    middle = (len(raters) - 1) // 2
    agreed = [sorted(ranks)[middle] for ranks in characters]
    found, start = [], 0
    for rank, run in groupby(agreed):
        end = start + len(list(run))
        if rank:
            found.append(ErrorSpan(start, end, SEVERITIES[rank - 1]))
        start = end
    for place, ranks in omissions.items():
        if rank := sorted(ranks)[middle]:
            found.append(ErrorSpan(place, place, SEVERITIES[rank - 1]))
    return tuple(sorted(found))
