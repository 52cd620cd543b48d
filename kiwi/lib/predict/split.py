"""The split of the data that ``kiwi predict`` predicts on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.languages import is_same_language
from kiwi.data.readers import check_segments
from kiwi.data.segments.bad_rows import BadRows
from kiwi.data.segments.streams import SegmentStream
from kiwi.data.text.language_pairs import listed, split_pair
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.predict.config import Configuration
from kiwi.lib.predict.labels import read_labels
from kiwi.outputs import SubmissionLevel
from kiwi.runner import Runner
from kiwi.runner.engine import AboutSystem
from kiwi.runner.processes import RunnerPool

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Split:
    """The split to predict on, validated."""

    stream: SegmentStream
    n_segments: int
    texts: Columns
    """The texts, if they are needed for labels or submissions."""

    labels: Columns
    levels: list[SubmissionLevel]
    """The levels of the submissions to write."""

    @property
    def predicted(self) -> Iterator[Columns]:
        """The texts of the segments that have lines in the files of predictions, chunk by chunk."""
        first, bad = 1, self.stream.bad
        for chunk in self.stream:
            yield bad.apply(chunk, first) if bad.on_bad == "skip" else chunk
            first += len(chunk[const.SOURCE])


def read_split(config: Configuration, runner: Runner | RunnerPool, bad: BadRows) -> Split:
    """Read and validate the requested split.

    Args:
        config: the options.
        runner: the system.
        bad: what happens to bad segments; they are noted there.

    Raises:
        ConfigError: when the configuration does not name a file that the system reads.
        DataError: when the data cannot be used; the message names file and line.
    """
    split, name, about = config.split, config.run.predict_on_data_partition, runner.about
    assert split is not None, "checked by the configuration"
    missing = [field for field in about.input_fields if getattr(split.input, field) is None]
    if config.run.align and const.ALIGNMENTS in missing:
        missing.remove(const.ALIGNMENTS)
    if missing:
        own = ", or run.align=true, with which kiwi aligns by itself"
        raise ConfigError(
            f"{config.system.load} ({about.class_name}) reads files that the configuration does not name:\n"
            + "\n".join(
                f"  data.{name}.input.{field}: required{own if field == const.ALIGNMENTS else ''}" for field in missing
            )
        )
    levels = config.submission.levels_for(about.outputs, str(config.system.load)) if config.submission else []
    files = {field: path for field, path in split.input if path is not None}
    stream = SegmentStream(files, config.run.chunk_size, bad)
    n_segments, pairs = _check_segments(stream, config.run.output_format)
    _warn_of_other_languages(config, about, sorted(pairs))
    texts, labels = {}, {}
    if config.submission is not None or any(path is not None for _, path in split.output):
        whole = stream.joined(stream)
        if config.submission is not None:
            check_segments(bad.apply(whole, 1, drop=False), files)  # submissions have no place for empty segments
        labels = read_labels(split.output, about.outputs, whole, split.input.source, bad.reasons, config.data.spans)
        texts = bad.apply(whole, 1)
        if bad.on_bad == "skip":
            labels = bad.apply(labels, 1)
    return Split(stream, n_segments, texts, labels, levels)


def _check_segments(stream: SegmentStream, output_format: str) -> tuple[int, set[str]]:
    """Read and check all segments once, and return their number and their language pairs, if they have any.

    Raises:
        DataError: when a segment cannot be used; the message names file and line.
    """
    n_segments, pairs = 0, set[str]()
    for columns, screened in stream.checked():
        pairs.update(screened.get(const.LANGUAGE_PAIR, ()))
        for field in (const.SOURCE, const.TARGET) if output_format == "tsv" else ():
            for number, line in enumerate(columns[field], start=n_segments + 1):
                if "\t" in line or "\r" in line:
                    raise DataError.at(
                        stream.files[field],
                        number,
                        found="a tab" if "\t" in line else "a carriage return inside the line",
                        expected="none in a TSV table",
                        advice="Set run.output_format to jsonl or parquet.",
                    )
        n_segments += len(columns[const.SOURCE])
    return n_segments, pairs - {""}


def _warn_of_other_languages(config: Configuration, about: AboutSystem, pairs: list[str]) -> None:
    """Warn of languages that the system was not trained on, as far as they are known.

    Args:
        config: the options.
        about: the description of the system.
        pairs: the language pairs of the segments, if they have any.
    """
    known_pairs = about.data.language_pairs
    if known_pairs and (unknown := [pair for pair in pairs if not _has_pair(known_pairs, pair)]):
        logger.warning(
            "data.%s.input.lp has %s, but %s was trained on %s: its predictions for other pairs may be unreliable.",
            config.run.predict_on_data_partition,
            listed(unknown),
            config.system.load,
            listed(known_pairs),
        )
    for side, given, known in zip(("source", "target"), config.data.languages, about.data.languages, strict=True):
        if known and (others := [tag for tag in given if not any(is_same_language(tag, own) for own in known)]):
            logger.warning(
                "data.%s_language is %s, but %s was trained on %s: its predictions may be unreliable.",
                side,
                ", ".join(others),
                config.system.load,
                ", ".join(known),
            )


def _has_pair(known: Sequence[str], pair: str) -> bool:
    """Return whether a language pair is among others, regardless of script and region."""
    return any(all(map(is_same_language, split_pair(pair), split_pair(other))) for other in known)
