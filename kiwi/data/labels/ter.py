"""HTER: the number of edits and shifts from a machine translation to its post-edit, per word of the post-edit.

The numbers are those of sacrebleu's TER (Snover et al. 2006, https://aclanthology.org/2006.amta-papers.25), word for
word. Most distances come from bit vectors (Hyyrö 2003, "A Bit-Vector Algorithm for Computing Levenshtein and Damerau
Edit Distances"), which makes it an order of magnitude faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kiwi.data.text.normal_form import compose_all

MOST_WORDS_SHIFTED = 10
FARTHEST_SHIFT = 50
MOST_CANDIDATES = 1000
"""The number of shifts that are tried for a segment."""

BEAM_WIDTH = 25
"""The distance from the diagonal of the cells that are computed."""

UNREACHABLE = 1 << 30

MATCH, SUBSTITUTION, DELETION, INSERTION = range(4)


def hter(target: Sequence[str], post_edit: Sequence[str]) -> float:
    """Return the number of edits per word of the post-edit, at most 1; words are compared without case and in NFC."""
    if not post_edit:
        return float(bool(target))
    words, reference = ([word.lower() for word in compose_all(side)] for side in (target, post_edit))
    n_edits = count_edits(words, reference)
    return min(1.0, n_edits / len(post_edit))


def count_edits(words: Sequence[str], reference: Sequence[str]) -> int:
    """Return the number of insertions, deletions, substitutions and shifts of word sequences."""
    words, reference = list(words), list(reference)
    if words == reference:
        return 0
    if not words or not reference:
        return len(words) + len(reference)
    distances = _Distances(reference, len(words))
    n_shifts = n_tried = 0
    while True:
        cost, steps = distances.trace(words)
        gain, shifted, n_tried = _best_shift(words, reference, distances, cost, steps, n_tried)
        if gain <= 0 or n_tried >= MOST_CANDIDATES:
            return n_shifts + cost
        words = shifted
        n_shifts += 1


class _Distances:
    """Edit distances of word sequences of the same length from a reference, near the diagonal."""

    def __init__(self, reference: list[str], n_words: int) -> None:
        self.reference = reference
        self.n_words = n_words
        self._places: dict[str, int] = {}
        for position, word in enumerate(reference):
            self._places[word] = self._places.get(word, 0) | 1 << position
        self._all = (1 << len(reference)) - 1
        self._last = 1 << (len(reference) - 1)
        ratio = len(reference) / n_words
        width = math.ceil(ratio / 2 + BEAM_WIDTH) if ratio / 2 > BEAM_WIDTH else BEAM_WIDTH
        diagonal = [math.floor(i * ratio) for i in range(n_words + 1)]
        self._band = [(max(0, j - width), min(len(reference) + 1, j + width)) for j in diagonal]
        self._band[-1] = (self._band[-1][0], len(reference) + 1)
        # A path leaves the diagonal by at most the number of its insertions or deletions.
        self._largest_certain = 2 * (width - 2) - abs(len(reference) - n_words)
        if len(reference) < width:
            self._largest_certain = UNREACHABLE

    def states(self, words: list[str]) -> list[tuple[int, int, int]]:
        """Return the state of the bit vectors before each word: positive and negative differences, and distance."""
        states = [(self._all, 0, len(self.reference))]
        for word in words:
            states.append(self._step(states[-1], (word,)))
        return states

    def _step(self, state: tuple[int, int, int], words: Sequence[str]) -> tuple[int, int, int]:
        positive, negative, distance = state
        everything, last, places = self._all, self._last, self._places
        for word in words:
            match = places.get(word, 0)
            diagonal = (((match & positive) + positive) ^ positive) | match | negative
            higher = negative | (everything & ~(diagonal | positive))
            lower = diagonal & positive
            if higher & last:
                distance += 1
            elif lower & last:
                distance -= 1
            higher = (higher << 1) | 1
            positive = everything & ((lower << 1) | ~(diagonal | higher))
            negative = higher & diagonal & everything
        return positive, negative, distance

    def distance(self, words: list[str], known: int, states: list[tuple[int, int, int]]) -> int:
        """Return the edit distance of words of which the first ``known`` ones led to a state."""
        found = self._step(states[known], words[known:])[2]
        return found if found <= self._largest_certain else self._costs(words)[-1][-1]

    def _costs(self, words: list[str]) -> list[list[int]]:
        """Return the cost of each cell near the diagonal, (words + 1, reference words + 1)."""
        width = len(self.reference) + 1
        rows = [list(range(width))]
        for word, (low, high) in zip(words, self._band[1:], strict=True):
            above, row = rows[-1], [UNREACHABLE] * width
            left = UNREACHABLE
            for j in range(low, high):
                cost = above[j] + 1
                if j:
                    match = above[j - 1] + (word != self.reference[j - 1])
                    cost = min(cost, match, left + 1)
                row[j] = left = cost
            rows.append(row)
        return rows

    def trace(self, words: list[str]) -> tuple[int, list[int]]:
        """Return the edit distance, and the steps of the best path."""
        rows = self._costs(words)
        i, j = len(words), len(self.reference)
        steps = []
        while i or j:
            cost = rows[i][j]
            if i and j and rows[i - 1][j - 1] + (words[i - 1] != self.reference[j - 1]) == cost:
                step = MATCH if words[i - 1] == self.reference[j - 1] else SUBSTITUTION
            elif i and rows[i - 1][j] + 1 == cost:
                step = DELETION
            else:
                step = INSERTION
            steps.append(step)
            i -= step != INSERTION
            j -= step != DELETION
        steps.reverse()
        return rows[-1][-1], steps


def _best_shift(
    words: list[str], reference: list[str], distances: _Distances, cost: int, steps: list[int], n_tried: int
) -> tuple[int, list[str], int]:
    """Return the gain of the best shift, the shifted words, and the number of shifts that were tried so far."""
    aligned, is_wrong_reference, is_wrong_word = _errors(steps)
    states = distances.states(words)
    best: tuple[int, int, int, int] = (0, 0, 0, 0)
    best_words = words
    for start, place, length in _common_sequences(words, reference):
        if not any(is_wrong_word[start : start + length]) or not any(is_wrong_reference[place : place + length]):
            continue
        if start <= aligned[place] < start + length:
            continue
        previous = -1
        for position in range(place - 1, min(place + length, len(reference))):
            to = 0 if position == -1 else aligned[position] + 1
            if to == previous:
                continue
            previous = to
            shifted = _shift(words, start, length, to)
            gain = cost - distances.distance(shifted, min(start, to), states)
            n_tried += 1
            if gain > 0 and (gain, length, -start, -to) > best:
                best, best_words = (gain, length, -start, -to), shifted
        if n_tried >= MOST_CANDIDATES:
            break
    return best[0], best_words, n_tried


def _errors(steps: list[int]) -> tuple[list[int], list[bool], list[bool]]:
    """Return the word that each reference word is aligned to, and which reference words and words are wrong."""
    word = -1
    aligned, is_wrong_reference, is_wrong_word = [], [], []
    for step in steps:
        if step != INSERTION:
            word += 1
            is_wrong_word.append(step != MATCH)
        if step != DELETION:
            aligned.append(word)
            is_wrong_reference.append(step != MATCH)
    return aligned, is_wrong_reference, is_wrong_word


def _common_sequences(words: list[str], reference: list[str]) -> Iterator[tuple[int, int, int]]:
    """Yield the start in the words, the start in the reference and the length of each common sequence."""
    places: dict[str, list[int]] = {}
    for position, word in enumerate(reference):
        places.setdefault(word, []).append(position)
    for start, word in enumerate(words):
        for place in places.get(word, ()):
            if abs(place - start) > FARTHEST_SHIFT:
                continue
            longest = min(len(words) - start, len(reference) - place, MOST_WORDS_SHIFTED)
            for length in range(1, longest + 1):
                if words[start + length - 1] != reference[place + length - 1]:
                    break
                yield start, place, length


def _shift(words: list[str], start: int, length: int, to: int) -> list[str]:
    """Move words to another position; within the moved words, ``to`` counts from their end."""
    moved, end = words[start : start + length], start + length
    if to < start:
        return words[:to] + moved + words[to:start] + words[end:]
    if to > end:
        return words[:start] + words[end:to] + moved + words[to:]
    return words[:start] + words[end : length + to] + moved + words[length + to :]
