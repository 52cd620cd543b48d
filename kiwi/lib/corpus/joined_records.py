"""What a joined corpus says about itself: ``corpus.json``, ``config.yaml`` and ``report.html``."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kiwi import __version__, constants as const
from kiwi.data.datasets.wmt_qe_dataset import LabelOrigin
from kiwi.data.labels.tags import TagForm
from kiwi.lib.corpus.joining import Joined
from kiwi.lib.corpus.leaks import LEAK, LEAK_REASON
from kiwi.lib.corpus.members import Member
from kiwi.lib.corpus.options import PARTS, CorpusOptions
from kiwi.lib.corpus.pipeline import SUFFIXES
from kiwi.lib.corpus.records import (
    CONFIG_FILE,
    CORPUS_FILE,
    FORMAT,
    REPORT_FILE,
    checksums,
    training_configuration,
)
from kiwi.lib.corpus.summary import Part, Summary
from kiwi.pages.corpus import CorpusFigures, PartFigures, corpus_page
from kiwi.utils.io import write_json, write_text

REFERENCES = "references"


def write_joined_records(
    stage: Path,
    output: Path,
    joined: Joined,
    members: Sequence[Member],
    kinds: Sequence[str],
    source_rule: str,
    *,
    keep_leaks: bool,
) -> None:
    """Write the records of a joined corpus beside its files.

    Args:
        stage: the directory with the files.
        output: the directory that they will be in.
        joined: the counts of the corpus.
        members: the corpora that were joined.
        kinds: the kinds of files that were joined.
        source_rule: the rule of the source tags; empty if there are none, or it is not known.
        keep_leaks: whether training segments that are in dev or test of another corpus were kept.
    """
    options = CorpusOptions(
        tag_form="target" if joined.form is TagForm.WORDS else "interleaved",
        source_tags="normal" if SUFFIXES[const.SOURCE_TAGS] in kinds else "none",
    )
    totals: dict[str, Part] = {part: whole for part in PARTS if (whole := joined.whole(part)) is not None}
    origins = sorted({origin for member in members for origin in (member.post_edits or "unknown").split(", ")})
    known: dict[tuple[str, ...], LabelOrigin] = {(REFERENCES,): "references", ("post-edits",): "post-edits"}
    origin = known.get(tuple(origins), "both" if REFERENCES in origins else None)
    figures = _figures(output, joined, members, origins, source_rule, keep_leaks=keep_leaks)
    write_text(stage / REPORT_FILE, corpus_page(figures))
    write_text(stage / CONFIG_FILE, training_configuration(stage, output, Summary(parts=totals), options, origin))
    write_json(
        stage / CORPUS_FILE,
        {
            "format": FORMAT,
            "language_pairs": joined.pairs,
            "post_edits": ", ".join(origins),
            "corpora": [
                {
                    "directory": str(member.directory.absolute()),
                    "pair": member.pair,
                    "source_tags": member.source_tags or None,
                    "sha256": member.sha256 or None,
                }
                for member in members
            ],
            "settings": {"kinds": list(kinds), "keep_leaks": keep_leaks, "source_tags": source_rule or None},
            "counts": {
                "read": joined.n_read,
                "dropped": {} if keep_leaks else {LEAK: joined.dropped[LEAK]},
                "parts": {name: part.to_dict() for name, part in totals.items()},
                "pairs": {
                    pair: {part: counts.to_dict() for (part, own), counts in joined.parts.items() if own == pair}
                    for pair in joined.pairs
                },
            },
            "versions": {"kiwi": __version__, "python": platform.python_version()},
            "sha256": checksums(stage),
        },
    )


def _figures(
    output: Path,
    joined: Joined,
    members: Sequence[Member],
    origins: Sequence[str],
    source_rule: str,
    *,
    keep_leaks: bool,
) -> CorpusFigures:
    notes = []
    if REFERENCES in origins and len(origins) > 1:
        places = ", ".join(str(member.directory) for member in members if REFERENCES in member.post_edits)
        notes.append(f"References stand in for post-edits in {places}, but not in all corpora.")
    for pair in joined.pairs:
        notes += [f"{pair} has no {part}." for part in PARTS if (part, pair) not in joined.parts]
    settings = [(member.pair or "several pairs", str(member.directory)) for member in members]
    settings += [("labels from", ", ".join(origins))]
    settings += [("source tags", source_rule)] if source_rule else []
    return CorpusFigures(
        title=f"Corpus {output.name}",
        settings=settings,
        parts=[
            _part(f"{name} {pair}", counts)
            for name in PARTS
            for (part, pair), counts in sorted(joined.parts.items())
            if part == name
        ],
        n_read=joined.n_read,
        dropped=[] if keep_leaks else [(LEAK, LEAK_REASON, joined.dropped[LEAK])],
        hter=joined.hter,
        lengths=joined.lengths,
        substitutions=joined.edits.substitutions.most_common(100),
        annotators=[],
        worst=joined.edits.worst(),
        is_reference=list(origins) == [REFERENCES],
        notes=notes,
    )


def _part(name: str, counts: Part) -> PartFigures:
    figures = counts.figures(name)
    n_words: Mapping[str, int] = {const.SOURCE: 0, const.TARGET: 0, const.POST_EDIT: 0} | dict(figures.n_words)
    return replace(figures, n_words=n_words)
