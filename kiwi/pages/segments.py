"""The segments that a system is most wrong about, their words coloured by what it says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.text.words import words
from kiwi.metrics.aligned import Aligned
from kiwi.pages import counts

MOST_WORDS = 250
"""Of a segment that are shown."""

LEVELS = 10
"""Of colour."""


@dataclass(frozen=True)
class Tags:
    """Gold classes and probabilities of BAD of one segment's words or gaps."""

    gold: NDArray[np.int64]
    bad: NDArray[np.float64]
    threshold: float

    def __getitem__(self, part: slice) -> Tags:
        return Tags(self.gold[part], self.bad[part], self.threshold)

    def summary(self, name: str) -> str:
        """What was found, missed and invented."""
        predicted = self.bad > self.threshold
        found, n_bad = int(predicted[self.gold == 1].sum()), int(self.gold.sum())
        false = int(predicted[self.gold == 0].sum())
        return f"{found} of {n_bad} BAD {name} found, {false} false alarm{'s' * (false != 1)}"


def worst_segments(
    outputs: Sequence[Aligned], system: str, texts: Mapping[str, Sequence[str]], most: int
) -> tuple[str, list[str]]:
    """The segments as cards, the worst first.

    Args:
        outputs: with the predictions of ``system``; any others are passed over.
        system: its name.
        texts: lines of all segments, by field.
        most: cards.

    Returns:
        How the segments were chosen, and the HTML of each card; no cards where nothing can be ranked.
    """
    by_name = {each.output: each for each in outputs if system in each.predicted and len(each.numbers)}
    how, ranked = _ranked(by_name, system, most)
    return how, [_card(by_name, system, number, loss, texts) for number, loss in ranked]


def _ranked(by_name: Mapping[str, Aligned], system: str, most: int) -> tuple[str, list[tuple[int, str]]]:
    if scores := by_name.get(const.SENTENCE_SCORES):
        errors = scores.predicted[system] - scores.gold
        how, values, numbers = "by the absolute error of the score", np.abs(errors), scores.numbers
        said = "error {:+.3f}"
    else:
        order = (const.WMT19, const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS)
        name = next((name for name in order if name in by_name and by_name[name].offsets is not None), None)
        if name is None:
            return "", []
        tags = by_name[name]
        assert tags.offsets is not None
        losses = counts.log_losses(tags.gold.astype(np.int64), tags.predicted[system])
        errors = values = counts.means_of_segments(losses, tags.offsets)
        how, numbers, said = f"by the mean log-loss of their tags ({name})", tags.numbers, "log-loss {:.3f}"
    chosen = np.argsort(-values, kind="stable")[:most]
    return how, [(int(numbers[place]), said.format(errors[place])) for place in chosen]


def _card(
    by_name: Mapping[str, Aligned], system: str, number: int, loss: str, texts: Mapping[str, Sequence[str]]
) -> str:
    tags = {name: found for name in by_name if (found := _tags_of(by_name[name], system, number)) is not None}
    both = tags.get(const.WMT19)
    target = tags.get(const.TARGET_TAGS, both[1::2] if both else None)
    gaps = tags.get(const.GAP_TAGS, both[0::2] if both else None)
    source = tags.get(const.SOURCE_TAGS)
    scores = _scores(by_name.get(const.SENTENCE_SCORES), system, number)
    lines = [
        _line("Source", _text(texts, const.SOURCE, number), source, None),
        _line("Target", _text(texts, const.TARGET, number), target, gaps),
    ]
    summaries = [
        part.summary(name)
        for name, part in (("words", target), ("gaps", gaps), ("source words", source))
        if part is not None and len(part.gold)
    ]
    notes = f'<p class="note">{escape("; ".join(summaries))}.</p>' if summaries else ""
    return (
        f'<li class="segment" data-number="{number}"><p class="head"><b>#{number}</b>{scores}'
        f'<span class="loss">{escape(loss)}</span></p>{"".join(lines)}{notes}</li>\n'
    )


def _place(aligned: Aligned, number: int) -> int | None:
    places = np.flatnonzero(aligned.numbers == number)
    return int(places[0]) if len(places) else None


def _tags_of(aligned: Aligned, system: str, number: int) -> Tags | None:
    place = _place(aligned, number)
    if place is None or aligned.offsets is None:
        return None
    part = slice(*aligned.offsets[place : place + 2].tolist())
    return Tags(aligned.gold[part].astype(np.int64), aligned.predicted[system][part], aligned.threshold)


def _scores(aligned: Aligned | None, system: str, number: int) -> str:
    if aligned is None or (place := _place(aligned, number)) is None:
        return ""
    gold, predicted = float(aligned.gold[place]), float(aligned.predicted[system][place])
    everything = (aligned.gold, aligned.predicted[system])
    low, high = min(float(each.min()) for each in everything), max(float(each.max()) for each in everything)
    at = [8 + 104 * (value - low) / ((high - low) or 1.0) for value in (gold, predicted)]
    # A picture of the two numbers beside it: no more for those who hear the page.
    track = (
        '<svg class="track" viewBox="0 0 120 16" aria-hidden="true"><path class="axis" d="M4 8h112"/>'
        f'<path class="trend" d="M{at[0]:.1f} 8H{at[1]:.1f}"/>'
        f'<path class="gold" d="M{at[0]:.1f} 2l6 6l-6 6l-6 -6z"/><circle class="dot" cx="{at[1]:.1f}" cy="8" r="5"/>'
        "</svg>"
    )
    return f"<span>gold {gold:.3f}</span><span>predicted {predicted:.3f}</span>{track}"


def _text(texts: Mapping[str, Sequence[str]], field: str, number: int) -> str | None:
    lines = texts.get(field, ())
    return lines[number - 1] if number <= len(lines) else None


def _line(name: str, text: str | None, tags: Tags | None, gaps: Tags | None) -> str:
    n_tags = max(0 if tags is None else len(tags.gold), 0 if gaps is None else len(gaps.gold) - 1)
    if text is None and not n_tags:
        return ""
    # Without the text, a word's place stands for it.
    tokens = words(text) if text is not None else [str(place) for place in range(1, n_tags + 1)]
    note = ""
    if (tags is not None and len(tags.gold) != len(tokens)) or (gaps is not None and len(gaps.gold) != len(tokens) + 1):
        note, tags, gaps = (
            f'<p class="note">{len(tokens)} words do not fit {n_tags} tags: without colours.</p>',
            None,
            None,
        )
    parts = []
    for place, token in enumerate(tokens[:MOST_WORDS]):
        parts.append(_gap(gaps, place) if gaps is not None else "")
        parts.append(_word(tags, place, token) if tags is not None else escape(token))
    if len(tokens) > MOST_WORDS:
        parts.append(f"<i>… and {len(tokens) - MOST_WORDS:,} words more</i>")
    elif gaps is not None:
        parts.append(_gap(gaps, len(tokens)))
    return f'<p class="text"><span class="field">{name}</span> <span>{" ".join(filter(None, parts))}</span></p>{note}'


def _word(tags: Tags, place: int, token: str) -> str:
    return f'<span class="{_classes("w", tags, place)}" title="{_hint(tags, place)}">{escape(token)}</span>'


def _gap(gaps: Tags, place: int) -> str:
    return f'<span class="{_classes("g", gaps, place)}" title="gap: {_hint(gaps, place)}"></span>'


def _classes(kind: str, tags: Tags, place: int) -> str:
    level = min(int(tags.bad[place] * LEVELS), LEVELS - 1)
    said = " said" if tags.bad[place] > tags.threshold else ""
    return f"{kind} p{level}{said}{' bad' if tags.gold[place] else ''}"


def _hint(tags: Tags, place: int) -> str:
    return f"{tags.bad[place]:.2f}, gold {const.LABELS[int(tags.gold[place])]}"
