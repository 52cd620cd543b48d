"""The edits that turn a machine translation into its post-edit, and the OK/BAD tags that follow from them.

The edits are those of tercom without shifts, on which the tags of the shared tasks of WMT are based.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from kiwi.constants import BAD, OK, Label
from kiwi.data.text.normal_form import compose_all

SAME, SUBSTITUTED, DELETED, INSERTED = "=", "s", "d", "i"
"""The steps of an edit path: both words are the same, the machine translation's word was replaced or deleted, or a word
of the post-edit was inserted."""

BEAM_WIDTH = 20
"""The difference in cost from the best cell of a column beyond which tercom does not extend a cell."""

UNREACHABLE = 1 << 30

SourceRule = Literal["normal", "missing-only", "none"]
"""Which words of the post-edit make the source words that they are aligned to BAD: those that were substituted for a
word of the machine translation or are missing from it, those that are missing only, or none, without source tags."""


def edit_path(target: Sequence[str], post_edit: Sequence[str]) -> str:
    """Return the cheapest edits from a machine translation to its post-edit, one character per step.

    Words are compared without case and in Unicode's form NFC. Among equal costs, a match or substitution is preferred
    to a deletion, and a deletion to an insertion, counted from the end. Words that differ only in case are substituted.

    Args:
        target: the words of the machine translation.
        post_edit: the words of the post-edit.
    """
    target, post_edit = compose_all(target), compose_all(post_edit)
    if target == post_edit:
        return SAME * len(target)
    lower_target = [word.lower() for word in target]
    steps = _best_steps(lower_target, [word.lower() for word in post_edit])
    path = []
    i, j = len(post_edit), len(target)
    while i or j:
        step = steps[j][i]
        if step == SUBSTITUTED and target[j - 1] == post_edit[i - 1]:
            step = SAME
        path.append(step)
        i -= step != DELETED
        j -= step != INSERTED
    return "".join(reversed(path))


def _best_steps(target: Sequence[str], post_edit: Sequence[str]) -> list[list[str]]:
    """Return the best last step to each cell, by number of words of the target and of the post-edit."""
    n_rows = len(post_edit)
    costs = list(range(n_rows + 1))
    steps = [[INSERTED] * (n_rows + 1)]
    for number, word in enumerate(target, start=1):
        cost = costs[0] + 1
        column, column_steps = [cost], [DELETED]
        diagonal, best_match = costs[0], UNREACHABLE
        for other, left in zip(post_edit, costs[1:], strict=True):
            match = diagonal if word == other else diagonal + 1
            best_match = min(best_match, match)
            diagonal = left
            up, cost, step = cost + 1, match, SUBSTITUTED
            if left + 1 < cost:
                cost, step = left + 1, DELETED
            if up < cost:
                cost, step = up, INSERTED
            column.append(cost)
            column_steps.append(step)
        if n_rows > BEAM_WIDTH and number < len(target):
            limit = best_match + BEAM_WIDTH
            column = [cost if cost <= limit else UNREACHABLE for cost in column]
        costs = column
        steps.append(column_steps)
    return steps


def target_tags(path: str) -> list[Label]:
    """Return the tag of each word of the machine translation: OK if the word is in the post-edit as it is."""
    return [OK if step == SAME else BAD for step in path if step != INSERTED]


def gap_tags(path: str) -> list[Label]:
    """Return the tag of each gap, of which the first is before the first word: BAD if words were inserted there."""
    tags = [OK]
    for step in path:
        if step == INSERTED:
            tags[-1] = BAD
        else:
            tags.append(OK)
    return tags


def source_tags(
    path: str, alignment: Iterable[tuple[int, int]], n_words: int, rule: SourceRule = "normal"
) -> list[Label]:
    """Return the tag of each source word: BAD if it is aligned to a word of the post-edit that the translation lacks.

    Args:
        path: the edits from the machine translation to the post-edit.
        alignment: pairs of source word and word of the post-edit.
        n_words: the number of source words.
        rule: which words of the post-edit count.
    """
    missing = (INSERTED, SUBSTITUTED) if rule == "normal" else (INSERTED,)
    is_missing = [step in missing for step in path if step != DELETED]
    tags = [OK] * n_words
    for source, post_edit in alignment:
        if is_missing[post_edit]:
            tags[source] = BAD
    return tags


def edits_of(path: str, target: Sequence[str], post_edit: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return each step of a path with its word of the machine translation and of the post-edit, or empty strings."""
    edits, i, j = [], 0, 0
    for step in path:
        has_target, has_post_edit = step != INSERTED, step != DELETED
        edits.append((step, target[j] if has_target else "", post_edit[i] if has_post_edit else ""))
        i, j = i + has_post_edit, j + has_target
    return edits
