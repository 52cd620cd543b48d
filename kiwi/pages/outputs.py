"""The pictures of one system's outputs: of its scores, and of each kind of its tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.text.words import words
from kiwi.metrics import functions
from kiwi.metrics.aligned import Aligned
from kiwi.metrics.calibration import Reliability, reliability
from kiwi.metrics.report import Report
from kiwi.pages import charts, counts
from kiwi.pages.figures import name_of, row_of, signature


def score_section(report: Report, outputs: Sequence[Aligned], system: str, texts: Mapping[str, Sequence[str]]) -> str:
    """Pictures of sentence scores; nothing where a system has none."""
    aligned = next((each for each in outputs if each.output == const.SENTENCE_SCORES), None)
    if aligned is None:
        return ""
    gold, predicted = aligned.gold.astype(np.float64), aligned.predicted[system]
    signed = signature(row_of(report, aligned.output, system), aligned.output, len(gold))
    cards = [
        charts.scatter(gold, predicted, signed),
        charts.residuals(gold, predicted, signed),
        charts.score_distributions(gold, predicted, signed),
    ]
    lengths = _lengths_of_segments(aligned, outputs, texts)
    if lengths is not None:
        groups = []
        quartered = counts.quarters(lengths)
        for number, name in enumerate(quartered.names):
            members = quartered.group == number
            pair = gold[members], predicted[members]
            groups.append((name, functions.pearson(*pair), len(pair[0]), f"{functions.mae(*pair):.3f}"))
        cards.append(charts.by_length("PEARSON", groups, "MAE", signed))
    return f'<h3>{escape(name_of(aligned.output))}</h3><div class="cards">{"".join(cards)}</div>\n'


def _lengths_of_segments(
    aligned: Aligned, outputs: Sequence[Aligned], texts: Mapping[str, Sequence[str]]
) -> NDArray[np.int64] | None:
    """Target words of each segment, from tags or from the text; None where neither is there."""
    numbers = aligned.numbers
    for each in outputs:
        if each.output in (const.TARGET_TAGS, const.WMT19, const.GAP_TAGS) and np.array_equal(each.numbers, numbers):
            return counts.lengths_in_words(each)
    lines = texts.get(const.TARGET, ())
    if len(numbers) and int(numbers.max()) <= len(lines):
        return np.array([len(words(lines[number - 1])) for number in numbers.tolist()], dtype=np.int64)
    return None


def tag_sections(report: Report, outputs: Sequence[Aligned], system: str, texts: Mapping[str, Sequence[str]]) -> str:
    """Pictures of each kind of tags, and a table that compares the kinds."""
    sections, rows = [], []
    for aligned in outputs:
        if aligned.output == const.SENTENCE_SCORES:
            continue
        gold, bad = aligned.gold.astype(np.int64), aligned.predicted[system]
        signed = signature(row_of(report, aligned.output, system), aligned.output, len(gold))
        predicted = bad > aligned.threshold
        counted, bins = functions.confusion(gold, predicted), reliability(gold, bad)
        cards = [
            charts.reliability_diagram(bins, signed),
            charts.probability_distributions(gold, bad, aligned.threshold, signed),
            charts.confusion_matrix(counted, aligned.threshold, signed),
        ]
        lengths = counts.lengths_in_words(aligned)
        if aligned.output == const.BINARY:
            lengths = _lengths_of_segments(aligned, outputs, texts)
        if lengths is not None and aligned.offsets is not None:
            groups = []
            quartered = counts.quarters(lengths)
            parts = counts.confusions(aligned, quartered, gold, predicted)
            for name, part in zip(quartered.names, parts, strict=True):
                n = int(part.sum())
                groups.append((name, functions.matthews(part), n, f"{part[1].sum() / max(n, 1):.1%}"))
            cards.append(charts.by_length("MCC", groups, "Gold BAD", signed))
        sections.append(f'<h3>{escape(name_of(aligned.output))}</h3><div class="cards">{"".join(cards)}</div>\n')
        rows.append(_row(aligned.output, counted, bins, float(counts.log_losses(gold, bad).mean()), signed))
    if not sections:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
    table = (
        '<h3>By type of tag</h3><div class="wide" role="region" tabindex="0" aria-label="By type of tag"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>\n"
    )
    return table + "".join(sections)


HEAD = ("tags", "n", "gold BAD", "predicted BAD", "MCC", "F1 of BAD", "F1 of OK", "ECE", "log-loss")


def _row(output: str, counted: NDArray[np.int64], bins: Reliability, loss: float, signed: str) -> str:
    total = int(counted.sum())
    values = [
        f"{total:,}",
        f"{counted[1].sum() / total:.1%}",
        f"{counted[:, 1].sum() / total:.1%}",
        *(f"{functions.matthews(counted):.4f}", f"{functions.f1(counted, 1):.4f}", f"{functions.f1(counted, 0):.4f}"),
        *(f"{bins.ece:.4f}", f"{loss:.4f}"),
    ]
    cells = "".join(f"<td>{value}</td>" for value in values)
    return (
        f'<tr><th scope="row">{escape(name_of(output))}</th>{cells}</tr>'
        f'<tr class="of"><td colspan="{len(HEAD)}"><code class="signature">{escape(signed)}</code></td></tr>'
    )
