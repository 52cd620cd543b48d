"""Prepare the training data of kiwi-mini: direct assessments with tags, annotated errors, and errors that kiwi makes.

    python tools/mini/prepare.py MLQE-PE MQM OUT        all but the made errors, and good translations to put them into
    kiwi corpus corrupt OUT/errors OUT/good.tsv --columns source=source,target=target,lp=lp --whole 0.5 --clean 0.1
    python tools/mini/prepare.py MLQE-PE MQM OUT --errors OUT/errors

``MLQE-PE`` has a directory for each language pair (CC0), ``MQM`` has tables of annotated errors (those that are used
here are published under Apache-2.0). Texts are raw, as a user has them: tags of tokens are carried over to the words
between spaces. The last stages also read tokenized texts, with the tags of their tokens. Segments lack the labels that
their data does not have (``data.partial_labels``).

All scores are on the scale of direct assessments, standardized; higher is better. The penalties of MQM are brought
to it pair by pair, by their mean and standard deviation; a made error takes points off the score of a good translation.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segments import GOOD_SCORE, Segment, annotated, assessed, corrupted, joined, spoiled, standardize, tokenized

ANNOTATED = ("2021_en-de", "2021_zh-en", "2021_TED_en-de", "2021_TED_zh-en", "bio_train")

LONGEST = 500
"""The largest number of characters of a training translation."""

DEV_DOCUMENTS = 0.12
"""The share of the documents of 2021_zh-en, the last ones, that are kept for development."""

FIRST = 0.57
"""The share of the assessments that the first stage learns from."""

NEW_PAIR = "et-en"
"""The language pair that a system for comparison does not know, to show what it gains by learning from it."""

LATER = {
    "second": {"assessed": (0.0, 0.28), "annotated": (0.0, 0.31), "made": (0.0, 0.8)},
    "third": {"assessed": (0.36, 1.0), "annotated": (0.31, 0.43), "made": (0.42, 1.0)},
    "fourth": {"assessed": (0.0, 1.0), "annotated": (0.43, 0.78), "made": (0.0, 1.0)},
    "fifth": {"assessed": (0.2, 1.0), "annotated": (0.78, 1.06), "made": (0.4, 1.0)},
    "sixth": {
        "assessed": (0.0, 1.0),
        "tokenized": (0.0, 0.4),
        "annotated": (0.06, 0.3),
        "made": (0.0, 0.5),
        "spoiled": (0.0, 0.06),
    },
    "eighth": {
        "assessed": (0.0, 0.08),
        "tokenized": (0.4, 0.45),
        "annotated": (0.3, 0.34),
        "made": (0.5, 0.65),
        "spoiled": (0.06, 0.07),
        "joined": (0.0, 0.2),
    },
}
"""The shares of assessments (of raw and of tokenized text), annotated errors, made errors, translations made worse, and
paragraphs that the later stages learn from; from 1.0 on, they are counted from the start again."""

SYSTEMS: Mapping[str, Callable[[bytes], str]] = {
    "fourth": lambda key: f"fourth-{key[6] % 2}",
    "fifth": lambda key: f"fifth-{key[7] % 2}",
    "sixth": lambda key: f"seventh-{key[9] % 2}" if key[8] % 2 else "sixth",
    "eighth": lambda key: "eighth",
}
"""The systems that share the segments of a stage, by the hash of a segment; the sixth stage leaves a half of its
segments to the seventh."""

HARSHER = 1.0
"""What the stages in ``SYSTEMS`` take off the scores of translations that are wrong as a whole, which then lie below
those of the worst translations that people assessed."""

CALIBRATED = 0.3
"""The share of the development segments from which on they calibrate; thresholds of tags are chosen on those before."""

CHOOSING = {"2022_en-de_dev": 0.5, "2022_en-ru_dev": 0.5, "bio_dev": 0.2}
"""The share of the annotated development segments that choose the thresholds of spans."""


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
    parts: dict[str, list[Segment]] = {}
    for segment in train:
        parts.setdefault(SYSTEMS[stage](segment.key) if stage in SYSTEMS else stage, []).append(segment)
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
        dev = [segment for segment in assessed(args.assessments, "dev") if segment.share < 0.2]
        for part, segments in {"train": first, "dev": dev}.items():
            write(args.out / "others", part, [segment for segment in segments if segment.lp != NEW_PAIR])
            write(args.out / "first", part, segments)  # dev comes last: train.sh sees by it that all is there
        print(f"{len(first):,} segments of assessments, {len(dev):,} for development, {len(good):,} good translations")
        return
    dev = [segment for segment in assessed(args.assessments, "dev") if segment.share < 0.06]
    others: list[Segment] = []
    thresholds = [segment for segment in held_out if segment.share < 0.3]
    for name, share in CHOOSING.items():
        own = [segment for _, segment in annotated(args.annotations / f"{name}.tsv.gz")]
        standardize(own)
        others += [segment for segment in own if segment.share < (0.015 if name == "bio_dev" else 0.12)]
        # Medical abstracts have several times as many errors: news decides for the pairs that it has.
        known = {segment.lp for segment in thresholds}
        thresholds += [segment for segment in own if segment.share < share and segment.lp not in known]
    dev += others + [segment for segment in held_out if segment.share < 0.1]
    dev = [segment for segment in dev if len(segment.target) < LONGEST]
    texts = list(zip(assessed(args.assessments, "dev"), tokenized(args.assessments, "dev"), strict=True))
    tagged = [own for both in texts if both[0].share < CALIBRATED for own in both]
    write(args.out / "second", "tags", [own for own in tagged if own.target_tags and own.source_tags])
    write_table(args.out / "second" / "spans.tsv", thresholds)
    for stage in LATER:
        kinds = {
            "assessed": first,
            "tokenized": list(tokenized(args.assessments, "train")),
            "annotated": marked,
            "made": list(corrupted(args.errors, HARSHER if stage in SYSTEMS else 0.0)),
            "spoiled": list(spoiled(first, HARSHER)),
            "joined": list(joined([*first, *marked], HARSHER)),
        }
        write_stage(args.out, stage, kinds, dev)
    # This comes last: train.sh sees by it that all is there.
    write(args.out, "calibration", [own for own in assessed(args.assessments, "dev") if own.share >= CALIBRATED])


if __name__ == "__main__":
    main()
