"""The comparison of systems, as the command line shows it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kiwi.lib.console.tables import print_table

if TYPE_CHECKING:
    from kiwi.lib.score.compare import Compared
    from kiwi.metrics.comparison import Comparison

MOST_SEGMENTS = 10
"""The number of segments that are listed; the page and the JSON file have more."""

LONGEST_SOURCE = 60
"""The number of characters of a source that are shown."""


def print_comparison(compared: Compared) -> None:
    """Print the figures of the systems, of each pair, of each language pair, and the segments that differ most."""
    arrow = "↑" if compared.higher_is_better else "↓"
    names = [each.system for each in compared.whole.systems]
    _print_systems(compared.whole, arrow)
    _print_pairs(compared.whole)
    if compared.by_pair:
        rows = []
        for language_pair, comparison in compared.by_pair.items():
            figures = {each.system: each for each in comparison.systems}
            cells = [_with_rank(figures[name].mean, figures[name].rank) for name in names]
            rows.append([language_pair, str(comparison.n_segments), *cells])
        ranked = ", with rank" if compared.options.resamples else ""
        print_table(f"Mean {arrow} by language pair{ranked}", ["pair", "n", *names], rows)
    if shown := compared.differing[:MOST_SEGMENTS]:
        rows = [
            [
                str(index + 1),
                *(f"{compared.scores[name][index]:.4f}" for name in names),
                _shortened(compared.translations.source[index]),
            ]
            for index in shown
        ]
        print_table("Segments that differ most", ["segment", *names, "source"], rows)
    notes = [f"Scores: {compared.meaning}."]
    if compared.options.resamples:
        notes.append(
            "Systems of the same rank do not differ significantly (paired bootstrap, two-sided, p < 0.05, Holm)."
        )
    print(" ".join(notes), file=sys.stderr)


def _with_rank(mean: float, rank: int | None) -> str:
    return f"{mean:.4f}" if rank is None else f"{mean:.4f} ({rank})"


def _print_systems(comparison: Comparison, arrow: str) -> None:
    has_tests = comparison.systems[0].interval is not None
    rows = []
    for each in comparison.systems:
        tested = [str(each.rank)] if has_tests else []
        ends = ["{:.4f} to {:.4f}".format(*each.interval)] if each.interval is not None else []
        rows.append([each.system, *tested, f"{each.mean:.4f}", *ends])
    header = ["system", *(["rank"] if has_tests else []), f"mean {arrow}", *(["95 % interval"] if has_tests else [])]
    print_table(f"Systems, {comparison.n_segments} segments", header, rows)


def _print_pairs(comparison: Comparison) -> None:
    has_tests = comparison.systems[0].interval is not None
    rows = []
    for pair in comparison.pairs:
        words = "better than" if pair.is_significant else "and"
        row = [f"{pair.better} {words} {pair.worse}", f"{pair.difference:.4f}"]
        row += ["{:.4f} to {:.4f}".format(*pair.interval)] if pair.interval is not None else []
        row += [str(pair.wins), str(pair.ties), str(pair.losses)]
        row += [f"{pair.win_share:.1%}"] if pair.win_share is not None else []
        row += [f"{pair.p:.3g}"] if pair.p is not None else []
        rows.append(row)
    header = ["pair", "better by", *(["95 % interval"] if has_tests else []), "wins", "ties", "losses"]
    print_table("Pairs", [*header, *(["resamples won", "p"] if has_tests else [])], rows)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SOURCE else f"{text[: LONGEST_SOURCE - 1]}…"
