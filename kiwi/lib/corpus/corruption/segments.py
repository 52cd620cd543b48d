"""One segment: its good translation, the errors that are put into it, and the labels that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from kiwi.constants import BAD, OK
from kiwi.data.labels.error_spans import ErrorSpan, gap_labels, mqm_score, unit_labels
from kiwi.data.labels.tags import interleave
from kiwi.data.languages import language_of
from kiwi.data.text.normal_form import is_blank
from kiwi.data.text.words import words
from kiwi.lib.corpus.corruption.kinds import CORRUPTIONS, Material
from kiwi.lib.corpus.corruption.options import CorruptOptions
from kiwi.lib.corpus.corruption.units import Mark, Tokenize, Unit, omissions, render
from kiwi.lib.corpus.tokenizers import OWN_TOKENIZERS, Tokenizer


@dataclass(frozen=True)
class Segment:
    """A segment with a good translation."""

    number: int
    """Its number in the input, from 1."""

    source: str
    target: str
    pair: str
    """Its language pair; empty if it is not known for each segment."""

    language: str
    """The BCP 47 tag of the target's language; empty if it is not known."""

    source_units: Sequence[Unit]
    target_units: Sequence[Unit]

    @property
    def has_words(self) -> bool:
        """Whether both sides have a word."""
        return not is_blank(self.source) and not is_blank(self.target)


def splitter_for(language: str) -> Tokenize | None:
    """Return what splits text of a language that is written without spaces; None if its characters are its words.

    Raises:
        MissingExtraError: when the tokenizer of the language is not installed.
    """
    name = OWN_TOKENIZERS.get(language_of(language))
    if name is None:
        return None
    tokenizer = Tokenizer(name, language)
    tokenizer.check()
    return tokenizer.load()


def corrupt_segment(
    segment: Segment, material: Material, copy: int, options: CorruptOptions
) -> tuple[Sequence[Unit], int, list[str]]:
    """Put errors into the translation of a segment.

    Args:
        segment: the segment.
        material: what errors can take from.
        copy: the number of the copy, from 0.
        options: how translations are corrupted.

    Returns:
        The words of the translation, the number of edits that correct them, and the names of the corruptions.
    """
    random = Random(f"{options.seed} {segment.number} {copy}")
    units: Sequence[Unit] = segment.target_units
    if random.random() < options.clean:
        return units, 0, []
    is_whole = random.random() < options.whole
    count = 1 if is_whole else random.randint(1, options.most)
    # A kind that has no place in this translation gives way to another one of its sort, and the sort to the other one.
    sorts = [
        [kind for kind in options.kinds if CORRUPTIONS[kind].is_whole == sort] for sort in (is_whole, not is_whole)
    ]
    n_edits = 0
    kinds: list[str] = []
    for sort in sorts:
        for kind in random.sample(sort, len(sort)):
            if len(kinds) == count or (kinds and CORRUPTIONS[kind].is_whole):
                break
            corruption = CORRUPTIONS[kind]
            if (result := corruption.corrupt(units, material, random, Mark(kind, corruption.severity))) is not None:
                units, more = result
                n_edits += more
                kinds.append(kind)
        if kinds:
            break
    if render(units)[0] == render(segment.target_units)[0]:
        return segment.target_units, 0, []  # errors that undo each other
    return units, n_edits, kinds


def label_segment(segment: Segment, units: Sequence[Unit], n_edits: int) -> dict[str, str]:
    """Return the line of a segment in each file, by suffix.

    A word is BAD if it has a wrong part or has lost one, a gap if there are fewer words than there were. Words are what
    spaces separate, so that these are, for most errors, the tags of the edits that correct the text.

    Args:
        segment: the segment.
        units: the words of its translation with errors.
        n_edits: the number of edits that correct them.
    """
    text, spans = render(units)
    if not spans:
        text = segment.target
    bounds = _word_bounds(text)
    missing = omissions(units)
    cut = [ErrorSpan(each.place - each.is_cut_before, each.place + each.is_cut_behind, "major") for each in missing]
    lost = [ErrorSpan(each.place, each.place, "major") for each in missing if each.n_words]
    is_bad = [label[0] < 1 for label in unit_labels([[*spans, *cut]], bounds)]
    is_missing = [label[0] < 1 for label in gap_labels([lost], bounds)]
    cells = {
        "src": segment.source,
        "mt": text,
        "pe": segment.target,
        "tags": " ".join(BAD if bad else OK for bad in interleave(is_missing, is_bad)),
        "hter": f"{min(1.0, n_edits / len(segment.target_units)):.6f}",
        "error_spans": _span_cells(spans),
        "mqm": f"{mqm_score(spans):g}",
    }
    return cells | ({"lp": segment.pair} if segment.pair else {})


def _word_bounds(text: str) -> NDArray[np.int64]:
    """Return the characters of each word of a text, (words, 2)."""
    bounds, end = [], 0
    for word in words(text):
        start = text.index(word, end)
        end = start + len(word)
        bounds.append((start, end))
    return np.array(bounds, dtype=np.int64).reshape(-1, 2)


def _span_cells(spans: Sequence[ErrorSpan]) -> str:
    """Return starts, ends and severities in the columns of an ``error_spans`` file."""
    if not spans:
        return "-1\t-1\tno-error"
    columns = zip(*((str(span.start), str(span.end), span.severity) for span in spans), strict=True)
    return "\t".join(map(" ".join, columns))
