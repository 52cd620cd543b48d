"""Prepare the training data of kiwi-mini: direct assessments with tags, annotated errors, and errors that kiwi makes.

    python tools/mini/prepare.py MLQE-PE MQM OUT        all but the made errors, and good translations to put them into
    kiwi corpus corrupt OUT/errors OUT/good.tsv --columns source=source,target=target,lp=lp --whole 0.5 --clean 0.1
    python tools/mini/prepare.py MLQE-PE MQM OUT --errors OUT/errors

``MLQE-PE`` has a directory for each language pair (CC0), ``MQM`` has tables of annotated errors (those that are used
here are published under Apache-2.0). Texts are raw, as a user has them: tags of tokens are carried over to the words
between spaces. Segments lack the labels that their data does not have (``data.partial_labels``).

All scores are on the scale of direct assessments, standardized; higher is better. The penalties of MQM are brought
to it pair by pair, by their mean and standard deviation; a made error takes points off the score of a good translation.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, pstdev

PAIRS = ("en-de", "en-zh", "et-en", "ne-en", "ro-en", "ru-en", "si-en")

ANNOTATED = ("2021_en-de", "2021_zh-en", "2021_TED_en-de", "2021_TED_zh-en", "bio_train")

PENALTIES = {"minor": 1.0, "major": 5.0, "critical": 10.0}
WORST_PENALTY = 25.0

LONGEST = 500
"""The largest number of characters of a training translation."""

DEV_DOCUMENTS = 0.12
"""The share of the documents of 2021_zh-en, the last ones, that are kept for development."""

GOOD_SCORE = 0.6
"""The standardized score from which on a translation is good enough to put errors into."""

LOWEST_SCORE = -2.5

FIRST = 0.57
"""The share of the assessments that the first stage learns from."""

LATER = {
    "second": {"assessed": (0.0, 0.28), "annotated": (0.0, 0.31), "made": (0.0, 0.8)},
    "third": {"assessed": (0.36, 1.0), "annotated": (0.31, 0.43), "made": (0.42, 1.0)},
    "fourth": {"assessed": (0.0, 1.0), "annotated": (0.43, 0.78), "made": (0.0, 1.0)},
    "fifth": {"assessed": (0.2, 1.0), "annotated": (0.78, 1.06), "made": (0.4, 1.0)},
}
"""The shares of assessments, annotated errors and made errors that the later stages learn from; from 1.0 on, they are
counted from the start again."""

HALVES = {"fourth": 6, "fifth": 7}
"""The stages that two systems learn, a half of the segments each, and the byte of the hash that divides these."""

WHOLE = {"untranslated": -2.2, "unrelated": -2.2, "foreign": -2.2, "twice": -1.6, "truncate": -1.4}
"""The scores of translations that are wrong as a whole."""

HARSHER = 1.0
"""What the stages in ``HALVES`` take off these scores, which then lie below those of the worst translations that people
assessed."""

CALIBRATED = 0.3
"""The share of the development segments from which on they calibrate; thresholds of tags are chosen on those before."""

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


def write(directory: Path, part: str, segments: Sequence[Segment]) -> None:
    """Write the files of a part."""
    directory.mkdir(parents=True, exist_ok=True)
    columns = {
        "src": [segment.source for segment in segments],
        "mt": [segment.target for segment in segments],
        "lp": [segment.lp for segment in segments],
        "da": ["" if segment.score is None else f"{segment.score:.4f}" for segment in segments],
        "tags": [segment.target_tags for segment in segments],
        "source_tags": [segment.source_tags for segment in segments],
    }
    for name, lines in columns.items():
        (directory / f"{part}.{name}").write_text(
            "".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n"
        )
    # The number of a segment counts within its language pair.
    counts: dict[str, int] = {}
    with (directory / f"{part}.spans.tsv").open("w", encoding="utf-8", newline="\n") as file:
        file.write("lp\tseg\trater\tstarts\tends\tseverities\n")
        for segment in segments:
            number = counts.get(segment.lp, 0)
            counts[segment.lp] = number + 1
            for rater, cells in enumerate(segment.raters):
                file.write("\t".join([segment.lp, str(number), str(rater), *cells]) + "\n")


def write_table(path: Path, segments: Sequence[Segment]) -> None:
    """Write a table of annotated errors, a row for each rater; spans that end beyond the text are clipped."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("lp\tseg\trater\tsource\ttarget\tstarts\tends\tseverities\n")
        for number, segment in enumerate(segments):
            for rater, (starts, ends, severities) in enumerate(segment.raters):
                inside = " ".join(str(min(int(end), len(segment.target))) for end in ends.split())
                row = [segment.lp, str(number), str(rater), segment.source, segment.target, starts, inside, severities]
                file.write("\t".join(row) + "\n")


def write_stage(out: Path, stage: str, kinds: Mapping[str, Sequence[Segment]], dev: Sequence[Segment]) -> None:
    """Write what a later stage learns from, for each of its systems, and the development data beside it."""
    train: list[Segment] = []
    for kind, (low, high) in LATER[stage].items():
        train += [segment for segment in kinds[kind] if (segment.share - low) % 1.0 < high - low]
    train.sort(key=lambda segment: segment.key)
    print(f"{stage}: {len(train):,} segments with assessments, annotations or made errors")
    parts = {stage: train}
    if stage in HALVES:
        parts = {f"{stage}-{half}": [own for own in train if own.key[HALVES[stage]] % 2 == half] for half in (0, 1)}
    for name, own in parts.items():
        write(out / name, "train", own)
        write(out / name, "dev", dev)


def main() -> None:
    """Prepare the data."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("assessments", type=Path, help="MLQE-PE, with a directory for each language pair")
    parser.add_argument("annotations", type=Path, help="tables of annotated errors")
    parser.add_argument("out", type=Path, help="the directory to write")
    parser.add_argument("--errors", type=Path, help="a directory that kiwi corpus corrupt has written")
    args = parser.parse_args()

    first = sorted(assessed(args.assessments, "train"), key=lambda segment: segment.key)
    marked: list[Segment] = []
    held_out: list[Segment] = []
    for name in ANNOTATED:
        found = annotated(args.annotations / f"{name}.tsv.gz")
        documents = list(dict.fromkeys(document for document, _ in found))
        last = set(documents[-int(len(documents) * DEV_DOCUMENTS) :]) if name == "2021_zh-en" else set()
        marked += [segment for document, segment in found if document not in last]
        held_out += [segment for document, segment in found if document in last]
    standardize(marked)
    standardize(held_out)
    marked = [segment for segment in marked if len(segment.target) < LONGEST]
    if args.errors is None:
        good = [
            own for own in (*first, *marked) if own.score is not None and own.score > GOOD_SCORE and own.share < 0.4
        ]
        args.out.mkdir(parents=True, exist_ok=True)
        with (args.out / "good.tsv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
            rows.writerow(("source", "target", "lp"))
            rows.writerows((own.source, own.target, own.lp) for own in sorted(good, key=lambda own: own.key))
        first = [segment for segment in first if segment.share < FIRST]
        write(args.out / "first", "train", first)
        dev = [segment for segment in assessed(args.assessments, "dev") if segment.share < 0.2]
        write(args.out / "first", "dev", dev)
        print(f"{len(first):,} segments of assessments, {len(dev):,} for development, {len(good):,} good translations")
        return
    dev = [segment for segment in assessed(args.assessments, "dev") if segment.share < 0.06]
    others: list[Segment] = []
    thresholds = [segment for segment in held_out if segment.share < 0.3]
    for name, share in (("2022_en-de_dev", 0.5), ("2022_en-ru_dev", 0.5), ("bio_dev", 0.05)):
        own = [segment for _, segment in annotated(args.annotations / f"{name}.tsv.gz")]
        standardize(own)
        others += [segment for segment in own if segment.share < (0.015 if name == "bio_dev" else 0.12)]
        # Medical abstracts have several times as many errors: news decides for the pairs that it has.
        known = {segment.lp for segment in thresholds}
        thresholds += [segment for segment in own if segment.share < share and segment.lp not in known]
    dev += others + [segment for segment in held_out if segment.share < 0.1]
    dev = [segment for segment in dev if len(segment.target) < LONGEST]
    tagged = [own for own in assessed(args.assessments, "dev") if own.target_tags and own.source_tags]
    write(args.out / "second", "tags", [own for own in tagged if own.share < CALIBRATED])
    write_table(args.out / "second" / "spans.tsv", thresholds)
    for stage in LATER:
        made = list(corrupted(args.errors, HARSHER if stage in HALVES else 0.0))
        write_stage(args.out, stage, {"assessed": first, "annotated": marked, "made": made}, dev)
    # This comes last: train.sh sees by it that all is there.
    write(args.out, "calibration", [own for own in assessed(args.assessments, "dev") if own.share >= CALIBRATED])


if __name__ == "__main__":
    main()
