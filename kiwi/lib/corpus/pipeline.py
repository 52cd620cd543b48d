"""Make a corpus for training from source, translation and post-edit: ``kiwi corpus``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.labels.edits import gap_tags, source_tags, target_tags
from kiwi.data.labels.tags import interleave
from kiwi.data.readers import parse_alignment
from kiwi.data.text.words import words
from kiwi.lib.console.progress import Progress
from kiwi.lib.corpus.alignment import Alignments
from kiwi.lib.corpus.cleaning import RULES
from kiwi.lib.corpus.labelling import Chunk, Labeller, Row, label
from kiwi.lib.corpus.options import (
    ANNOTATOR,
    GROUP,
    IDS,
    PARTS,
    POST_EDIT_ALIGNMENTS,
    SCORES,
    TEXTS,
    CorpusOptions,
    Input,
)
from kiwi.lib.corpus.reading import Reader, open_input
from kiwi.lib.corpus.records import write_records
from kiwi.lib.corpus.splitting import DUPLICATE, LEFT_OUT, Keys
from kiwi.lib.corpus.summary import Summary
from kiwi.lib.corpus.tokenizers import SAMPLE, Tokenizer, choose
from kiwi.utils.guard import require_new_directory
from kiwi.utils.process.signals import stop_on_signals
from kiwi.utils.staging import staged

logger = logging.getLogger(__name__)

DROPPED_FILE = "dropped.tsv"

SUFFIXES = {
    const.SOURCE: "src",
    const.TARGET: "mt",
    const.POST_EDIT: "pe",
    const.TARGET_TAGS: "tags",
    const.SOURCE_TAGS: "source_tags",
    const.SENTENCE_SCORES: "hter",
    const.ALIGNMENTS: "src-mt.alignments",
    "raw_source": "raw.src",
    "raw_target": "raw.mt",
    SCORES: "scores",
    IDS: "ids",
}
"""The suffix of the file of each column of a part, such as ``train.src``."""


@dataclass(frozen=True)
class CorpusInfo:
    """What was written."""

    path: Path
    """The directory."""

    summary: Summary

    def rows(self) -> list[list[str]]:
        """Return the figures of each part, for a table with the columns of :data:`HEADER`."""
        rows = []
        for name in PARTS:
            if name in self.summary.parts:
                figures = self.summary.parts[name].figures(name)
                bad = (figures.bad.get(output) for output in (const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS))
                shares = ["" if share is None else f"{share:.1%}" for share in bad]
                rows.append(
                    [name, f"{figures.n_segments:,}", f"{figures.hter:.4f}", f"{figures.unedited:.1%}", *shares]
                )
        return rows


HEADER = ["part", "segments", "mean HTER", "unedited", "BAD words", "BAD gaps", "BAD source words"]


def make_corpus(output: Path, segments: Input, options: CorpusOptions | None = None) -> CorpusInfo:
    """Write a corpus that training reads, with a report and a training configuration.

    Args:
        output: the directory to write; it appears when it is complete.
        segments: the input of segments.
        options: how the corpus is made.

    Raises:
        ConfigError: when options are incompatible.
        DataError: when a segment cannot be used; the message names file and line.
    """
    options = options or CorpusOptions()
    segments.check()
    options.check(segments.fields, has_units=segments.has_units)
    if options.references is None:
        options = replace(options, references=segments.are_references)
    require_new_directory(output)
    reader = open_input(segments, options)
    chunks = reader.chunks()
    head = list(_at_most(chunks, SAMPLE))
    options = _with_languages(options, reader)
    labeller = _labeller(segments, options, head)
    aligner = Alignments(options, segments.fields)
    output = output.absolute()
    with stop_on_signals("Nothing was written; run the same command again."), staged(output) as stage:
        stage.mkdir()
        work = stage / "rows.jsonl"
        with closing(Keys(stage)) as keys:
            with Progress("Label", None) as progress, work.open("w", encoding="utf-8", newline="\n") as file:
                for rows in label(labeller, chain(head, chunks), options.processes):
                    for row, alignments in zip(rows, aligner.of(rows), strict=True):
                        _save(row, alignments, file, keys)
                    progress.advance(len(rows))
            parts = keys.split(options, segments.place(const.SOURCE))
        summary = _write_parts(stage, work, parts, segments, options, labeller)
        work.unlink()
        summary.origins = reader.origins
        _note_units(summary, segments)
        _note_dropped(summary, options)
        write_records(stage, output, summary, segments, options, (labeller.source, labeller.target))
    return CorpusInfo(output, summary)


def _with_languages(options: CorpusOptions, reader: Reader) -> CorpusOptions:
    """Return the options with the languages that the input names, where no option does."""
    source, target = reader.languages
    return replace(
        options,
        source_language=options.source_language or source or None,
        target_language=options.target_language or target or None,
    )


def _note_units(summary: Summary, segments: Input) -> None:
    """Say where the machine translations of a file of translators are from, and how many of them nobody edited."""
    if not segments.has_units:
        return
    n_kept = sum(part.n_segments for part in summary.parts.values())
    n_unedited = sum(part.n_unedited for part in summary.parts.values())
    logger.info(
        "%s: %s units, machine translations from %s. Of the %s segments that were kept, %s were not edited (HTER 0).",
        segments.table,
        f"{summary.n_read:,}",
        ", ".join(f"{origin} ({n:,})" for origin, n in summary.origins.most_common()),
        f"{n_kept:,}",
        f"{n_unedited:,}",
    )


def _note_dropped(summary: Summary, options: CorpusOptions) -> None:
    """Say how many segments each rule has left out."""
    if not summary.dropped:
        return
    counts = ", ".join(f"{rule} {n:,}" for rule, n in summary.dropped.items())
    hint = ""
    if summary.dropped["empty"] and not options.empty_is_unedited:
        hint = " If a post-edit is empty where nothing was edited, give --empty-is-unedited."
    if summary.dropped["unconfirmed"]:
        hint += " --keep unconfirmed takes translations that nobody has confirmed."
    logger.warning(
        "Left out %s of %s segments: %s. %s has the reasons.%s",
        f"{sum(summary.dropped.values()):,}",
        f"{summary.n_read:,}",
        counts,
        DROPPED_FILE,
        hint,
    )


def _at_most(chunks: Iterator[Chunk], n_segments: int) -> Iterator[Chunk]:
    while n_segments > 0 and (chunk := next(chunks, None)) is not None:
        n_segments -= len(chunk.numbers)
        yield chunk


def _labeller(segments: Input, options: CorpusOptions, head: Sequence[Chunk]) -> Labeller:
    samples: Columns = {name: [text for chunk in head for text in chunk.columns[name]] for name in TEXTS}
    source = _choose("source", options, [samples[const.SOURCE]])
    target = _choose("target", options, [samples[const.TARGET], samples[const.POST_EDIT]])
    places = {name: segments.place(name) for name in segments.fields}
    return Labeller(source, target, options.keep, options.bounds, options.empty_is_unedited, places)


def _choose(side: Literal["source", "target"], options: CorpusOptions, samples: Sequence[Sequence[str]]) -> Tokenizer:
    given = options.tokenizer[side == "target"]
    language = options.target_language if side == "target" else options.source_language
    chosen = choose(given, language, side, samples)
    if given == "auto":
        logger.info("%s: tokenizer %s: %s. Choose with --tokenizer.", side.capitalize(), chosen.name, chosen.why)
    return chosen


def _save(row: Row, alignments: dict[str, str], file: IO[str], keys: Keys) -> None:
    file.write(json.dumps([asdict(row), alignments], ensure_ascii=False) + "\n")
    keys.add(not row.rule, [row.texts[name] for name in TEXTS], row.fields.get(GROUP))


def _write_parts(
    stage: Path, work: Path, parts: Iterable[Any], segments: Input, options: CorpusOptions, labeller: Labeller
) -> Summary:
    """Distribute the labelled segments over the files of their parts."""
    summary = Summary()
    with ExitStack() as stack:

        def opened(name: str) -> IO[str]:
            return stack.enter_context((stage / name).open("w", encoding="utf-8", newline="\n"))

        dropped = opened(DROPPED_FILE)
        dropped.write("\t".join(("line", "rule", "reason", *TEXTS)) + "\n")
        files: dict[tuple[str, str], IO[str]] = {}
        lines = stack.enter_context(work.open(encoding="utf-8", newline="\n"))
        progress = stack.enter_context(Progress("Write", None))
        for line, index in zip(lines, parts, strict=True):
            plain, alignments = json.loads(line)
            row = Row(**plain)
            progress.advance(1)
            if index in (LEFT_OUT, DUPLICATE):
                if index == DUPLICATE:
                    row = replace(row, rule="duplicate", reason=RULES["duplicate"])
                texts = [row.fields[name].replace("\t", " ").replace("\r", " ") for name in TEXTS]
                dropped.write("\t".join((str(row.number), row.rule, row.reason, *texts)) + "\n")
                summary.drop(row.rule)
                continue
            part = PARTS[index]
            tags = _tags(row, alignments, options)
            for name, text in _cells(row, alignments, tags, options, labeller).items():
                key = part, SUFFIXES[name]
                if key not in files:
                    files[key] = opened(".".join(key))
                files[key].write(text + "\n")
            summary.add(part, row, tags, row.fields.get(ANNOTATOR))
    return summary


def _tags(row: Row, alignments: dict[str, str], options: CorpusOptions) -> dict[str, Sequence[str]]:
    tags: dict[str, Sequence[str]] = {const.TARGET_TAGS: target_tags(row.path), const.GAP_TAGS: gap_tags(row.path)}
    if options.source_tags != "none":
        pairs = parse_alignment(alignments.get(POST_EDIT_ALIGNMENTS, ""))
        n_words = len(words(row.texts[const.SOURCE]))
        tags[const.SOURCE_TAGS] = source_tags(row.path, pairs, n_words, options.source_tags)
    return tags


def _cells(
    row: Row, alignments: dict[str, str], tags: dict[str, Sequence[str]], options: CorpusOptions, labeller: Labeller
) -> dict[str, str]:
    """Return the line of a segment in each file of its part."""
    cells = dict(row.texts)
    form = tags[const.TARGET_TAGS]
    if options.tag_form == "interleaved":
        form = [str(tag) for tag in interleave(tags[const.GAP_TAGS], form)]
    cells[const.TARGET_TAGS] = " ".join(form)
    if const.SOURCE_TAGS in tags:
        cells[const.SOURCE_TAGS] = " ".join(tags[const.SOURCE_TAGS])
    cells[const.SENTENCE_SCORES] = f"{row.hter:.6f}"
    if const.ALIGNMENTS in alignments:
        cells[const.ALIGNMENTS] = alignments[const.ALIGNMENTS]
    if not is_tokenized(labeller.source, labeller.target):
        cells |= {"raw_source": row.fields[const.SOURCE], "raw_target": row.fields[const.TARGET]}
    return cells | {name: row.fields[name] for name in (SCORES, IDS) if name in row.fields}


def is_tokenized(source: Tokenizer, target: Tokenizer) -> bool:
    """Return whether the text is written as it was read, so that no raw text is kept beside it."""
    return source.name == target.name == "none"
