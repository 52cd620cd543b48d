"""Read the data that kiwi-mini learns from: direct assessments with tags, annotated errors, and made errors.

Translations of any quality are also made worse as a whole.

All scores are on the scale of direct assessments, standardized; higher is better.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, pstdev

PAIRS = ("en-de", "en-zh", "et-en", "ne-en", "ro-en", "ru-en", "si-en")

PENALTIES = {"minor": 1.0, "major": 5.0, "critical": 10.0}
WORST_PENALTY = 25.0

GOOD_SCORE = 0.6
"""The standardized score from which on a translation is good enough to put errors into."""

LOWEST_SCORE = -2.5

WHOLE = {"untranslated": -2.2, "unrelated": -2.2, "foreign": -2.2, "twice": -1.6, "truncate": -1.4}
"""The scores of translations that are wrong as a whole."""

LOWEST_SPOILED = -4.5
"""The lowest score of a bad translation that was made worse."""

LOSS, LOSS_PER_SHARE = 0.6, 2.5
"""What missing or untranslated segments take off the score of a paragraph, and the more, the larger their share is."""

LONGEST_PARAGRAPH = 1200
"""The largest number of characters of the source and the target of a paragraph together."""

PER_POINT = 0.12
"""What a point of penalty of a made error takes off the score."""


@dataclass
class Segment:
    """A segment with the labels that are known."""

    source: str
    target: str
    lp: str
    score: float | None = None
    target_tags: str = ""
    source_tags: str = ""
    raters: list[tuple[str, str, str]] = field(default_factory=list)
    """Starts, ends and severities of each rater."""

    @property
    def key(self) -> bytes:
        """A hash by which segments are ordered and drawn."""
        return hashlib.sha256("\0".join((self.lp, self.source, self.target)).encode()).digest()

    @property
    def share(self) -> float:
        """A number in [0, 1), the same in each run, by which shares of the data are drawn."""
        return int.from_bytes(self.key[:6]) / 2**48


def read(path: Path) -> list[str]:
    """Read the lines of a file."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def words_of(text: str) -> list[str]:
    """Split a text into words as kiwi does: at spaces and tabs, not at no-break spaces."""
    return [word for word in text.replace("\t", " ").split(" ") if word]


def word_tags(text: str, tokens: Sequence[str], tags: Sequence[str], gaps: Sequence[str] = ()) -> str:
    """Carry the tags of tokens over to the words between spaces; empty where the tokens are not those of the text.

    A word is BAD if one of its tokens is. With gaps, the tags are interleaved; a gap within a word is that after it.

    Args:
        text: the raw text.
        tokens: its tokens.
        tags: the tag of each token.
        gaps: the tags of the gaps before, between and after the tokens.
    """
    words = words_of(text)
    bare = ["".join(word.split()) for word in words]  # tokens have no spaces of any kind
    if "".join(bare) != "".join(tokens):
        return ""
    ends: list[int] = []
    for word in bare:
        ends.append((ends[-1] if ends else 0) + len(word))
    of_words, of_gaps = ["OK"] * len(words), ["OK"] * (len(words) + 1)
    if gaps and gaps[0] == "BAD":
        of_gaps[0] = "BAD"
    place, current = 0, 0
    for index, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
        place += len(token)
        while ends[current] < place:  # a token across words, which tokenizers make of numbers
            current += 1
        if tag == "BAD":
            of_words[current] = "BAD"
        if gaps and gaps[index + 1] == "BAD":
            of_gaps[current + 1] = "BAD"
    if not gaps:
        return " ".join(of_words)
    return " ".join([of_gaps[0], *(tag for pair in zip(of_words, of_gaps[1:], strict=True) for tag in pair)])


def assessed(directory: Path, part: str) -> Iterator[Segment]:
    """Read the direct assessments and tags of a part of MLQE-PE."""
    for lp in PAIRS:
        own = directory / lp

        def lines(suffix: str, own: Path = own) -> list[str]:
            return read(own / f"{part}.{suffix}")

        names = ("raw.src", "raw.mt", "da", "src", "mt", "tags", "source_tags")
        for source, target, score, tokens, mt, tags, source_tags in zip(*map(lines, names), strict=True):
            own_tags = tags.split()
            has_words = lp != "en-zh"  # Chinese has no spaces between words
            yield Segment(
                source,
                target,
                lp,
                float(score),
                word_tags(target, mt.split(), own_tags[1::2], own_tags[0::2]) if has_words else "",
                word_tags(source, tokens.split(), source_tags.split()) if has_words else "",
            )


def tokenized(directory: Path, part: str) -> Iterator[Segment]:
    """Read the direct assessments and tags of a part of MLQE-PE with the tokenized texts that were annotated."""
    for lp in PAIRS:
        names = ("src", "mt", "da", "tags", "source_tags")
        columns = [read(directory / lp / f"{part}.{name}") for name in names]
        for source, target, score, tags, source_tags in zip(*columns, strict=True):
            yield Segment(source, target, lp, float(score), tags, source_tags)


def annotated(path: Path) -> list[tuple[str, Segment]]:
    """Read a table of annotated errors, as pairs of document and segment with its raters; penalties are the scores."""
    segments: dict[tuple[str, ...], tuple[str, Segment]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        head, *rows = (line.rstrip("\n").split("\t") for line in file)
    for cells in rows:
        row = dict(zip(head, cells, strict=True))
        key = tuple(row[name] for name in ("lp", "system", "doc", "seg", "source", "target"))
        _, segment = segments.setdefault(key, (row["doc"], Segment(row["source"], row["target"], row["lp"])))
        segment.raters.append((row["starts"], row["ends"], row["severities"]))
    for _, segment in segments.values():
        points = [
            min(sum(PENALTIES.get(own, 0.0) for own in severities.split()), WORST_PENALTY)
            for _, _, severities in segment.raters
        ]
        segment.score = fmean(points)
    return list(segments.values())


def standardize(segments: Iterable[Segment]) -> None:
    """Turn penalties into standardized scores, pair by pair."""
    by_pair: dict[str, list[Segment]] = {}
    for segment in segments:
        by_pair.setdefault(segment.lp, []).append(segment)
    for own in by_pair.values():
        points = [segment.score for segment in own if segment.score is not None]
        mean, deviation = fmean(points), pstdev(points) or 1.0
        for segment in own:
            assert segment.score is not None
            segment.score = max((mean - segment.score) / deviation, LOWEST_SCORE)


def corrupted(directory: Path, harsher: float = 0.0) -> Iterator[Segment]:
    """Read the errors that ``kiwi corpus corrupt`` has made, with scores by their kind and penalty.

    Args:
        directory: the directory of the made errors.
        harsher: what is taken off the scores of translations that are wrong as a whole.
    """
    names = ("src", "mt", "lp", "mqm", "corruptions", "tags")
    columns = [read(directory / f"train.{name}") for name in names]
    spans = read(directory / "train.error_spans")
    for source, target, lp, points, kinds, tags, line in zip(*columns, spans, strict=True):
        whole = [WHOLE[kind] for kind in kinds.split() if kind in WHOLE]
        score = min(whole) - harsher if whole else max(GOOD_SCORE - PER_POINT * float(points), LOWEST_SCORE)
        starts, ends, severities, *_ = line.split("\t")
        has_words = not lp.endswith(("-zh", "-ja")) and len(tags.split()) == 2 * len(words_of(target)) + 1
        yield Segment(source, target, lp, score, tags if has_words else "", raters=[(starts, ends, severities)])


def spoiled(segments: Iterable[Segment], harsher: float) -> Iterator[Segment]:
    """Yield translations made worse, however bad they already are: one half repeated, the other cut off in the middle.

    A translation that is wrong in itself becomes worse by it, which errors in good translations do not teach.

    Args:
        segments: segments with scores.
        harsher: what is taken off the scores of translations that are wrong as a whole, and at least off their own.
    """
    for segment in segments:
        assert segment.score is not None
        kind = ("twice", "truncate")[segment.key[-1] % 2]
        middle = len(segment.target) // 2
        space = segment.target.find(" ", middle)
        half = segment.target[: space if space > 0 else middle]
        target = f"{segment.target} {segment.target}" if kind == "twice" else half
        score = max(min(WHOLE[kind], segment.score) - harsher, LOWEST_SPOILED)
        yield Segment(segment.source, target, segment.lp, score)


def joined(segments: Iterable[Segment], harsher: float) -> Iterator[Segment]:
    """Yield paragraphs of two to six segments, some without the translation of a part of them.

    In two fifths of the paragraphs, segments at the beginning, in the middle or at the end are missing from the
    translation; in a fifth, those at the end are left in the source language.

    Args:
        segments: segments with scores.
        harsher: what is taken off the scores of paragraphs that lack a half or more.
    """
    by_pair: dict[str, list[Segment]] = {}
    for segment in segments:
        by_pair.setdefault(segment.lp, []).append(segment)
    for own in by_pair.values():
        place = 0
        while place < len(own):
            first = own[place].key
            parts = own[place : place + 2 + first[10] % 5]
            place += len(parts)
            while sum(len(part.source) + len(part.target) for part in parts) > LONGEST_PARAGRAPH:
                parts = parts[:-1]
            if len(parts) < 2:
                continue
            n_lost = 1 if first[11] % 2 else (len(parts) + 1) // 2
            n_lost = min(n_lost, len(parts) - 1)
            kind = ("whole", "whole", "missing", "missing", "untranslated")[first[12] % 5]
            start = (
                len(parts) - n_lost
                if kind == "untranslated"
                else (0, (len(parts) - n_lost + 1) // 2, len(parts) - n_lost)[first[13] % 3]
            )
            lost = range(start, start + n_lost) if kind != "whole" else range(0)
            yield _paragraph(parts, lost, harsher, is_missing=kind == "missing")


def _paragraph(parts: Sequence[Segment], lost: Sequence[int], harsher: float, *, is_missing: bool) -> Segment:
    """Return a paragraph in which some segments are missing from the translation, or untranslated."""
    lp = parts[0].lp
    source_space, target_space = ("" if name in ("zh", "ja") else " " for name in lp.split("-"))
    targets = [part.source if index in lost else part.target for index, part in enumerate(parts)]
    if is_missing:
        targets = [target for index, target in enumerate(targets) if index not in lost]
    score = fmean(part.score for part in parts if part.score is not None)
    if lost:
        share = sum(len(parts[index].source) for index in lost) / sum(len(part.source) for part in parts)
        score = max(score - LOSS - LOSS_PER_SHARE * share - (harsher if share >= 0.5 else 0.0), LOWEST_SPOILED)
    tags, source_tags = "", ""
    if all(part.target_tags and part.source_tags for part in parts):
        gap, words = "OK", []
        for index, part in enumerate(parts):
            own = part.target_tags.split()
            if index in lost:
                own = ["BAD"] if is_missing else ["OK", *["BAD", "OK"] * len(words_of(part.source))]
            words += ["BAD" if "BAD" in (gap, own[0]) else "OK", *own[1:-1]] if len(own) > 1 else []
            gap = ("BAD" if "BAD" in (gap, own[0]) else "OK") if len(own) == 1 else own[-1]
        tags = " ".join([*words, gap])
        source_tags = " ".join(
            " ".join(["BAD"] * len(words_of(part.source))) if index in lost else part.source_tags
            for index, part in enumerate(parts)
        )
    return Segment(
        source_space.join(part.source for part in parts), target_space.join(targets), lp, score, tags, source_tags
    )
