"""The comparison of error spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kiwi.data.labels.gold import check_line_count
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.excluded import Excluded
from kiwi.lib.evaluate.source import Source, Sources
from kiwi.metrics.measured import Measured, measure_spans
from kiwi.metrics.spans import SPANS


def align_spans(source: Source, systems: Mapping[str, Sources], excluded: Excluded) -> list[Measured]:
    """Compare the spans of all systems with the gold spans.

    Args:
        source: the source of the gold spans.
        systems: the sources of each system's predictions.
        excluded: the segments that are left out.

    Raises:
        DataError: when the texts of a system are others than those of the gold spans.
    """
    gold = source.read()
    if source.translations is not None and not any(gold.targets):
        expected = "translations beside the gold spans (hypothesis_segment, tgt_text or hyps)"
        raise DataError.at(source.path, None, found="no translation", expected=expected)
    predicted = {}
    for system, sources in systems.items():
        if mine := sources.get(SPANS):
            submission = mine.read()
            if mine.translations is not None and source.translations is not None:
                lines = mine.translations().find(source.translations()).tolist()
                predicted[system] = [
                    [span._replace(start=min(span.start, len(target)), end=min(span.end, len(target))) for span in own]
                    for own, target in zip((submission.spans[line] for line in lines), gold.targets, strict=True)
                ]
                continue
            check_line_count(mine.path, len(submission.targets), source.path, len(gold.targets))
            for number, (target, expected) in enumerate(zip(submission.targets, gold.targets, strict=True)):
                if not _same_text(target.strip(), expected.strip()):
                    raise DataError.at(
                        mine.path,
                        None,
                        found=f"{target!r:.60} as the TARGET of SEG {number}",
                        expected=f"{expected!r:.60}",
                    )
            predicted[system] = submission.spans
    kept = np.flatnonzero(~excluded.mask(len(gold.targets))).tolist()
    targets, spans = [gold.targets[index] for index in kept], [gold.spans[index] for index in kept]
    if source.translations is None:
        # As in the official scorer of WMT 2023, white space around a text does not count.
        targets = [target.strip() for target in targets]
    chosen = {system: [own[index] for index in kept] for system, own in predicted.items()}
    return [replace(each, excluded=len(excluded.numbers)) for each in measure_spans(targets, spans, chosen)]


def _same_text(one: str, other: str) -> bool:
    """Return whether two texts differ in the kind of their white space and quotes at most, not in any position."""
    if one == other:
        return True
    return len(one) == len(other) and all(
        a == b or (a.isspace() and b.isspace()) or {a, b} <= QUOTES for a, b in zip(one, other, strict=True)
    )


QUOTES = set("\"'`´“”„‟‘’‚‛«»")
"""Characters that writers of tables exchange for each other."""
