"""How well and how fast kiwi corpus reproduces the labels of MLQE-PE.

    python benchmarks/corpus.py labels DIR [--pairs en-de ...] [--processes 2]
    python benchmarks/corpus.py source DIR [--pairs en-de ...] [--segments 1000] [--encoder DIR]
    python benchmarks/corpus.py memory [--segments 1000000]

DIR has a directory for each language pair, with the files train.src, dev.src, test20.src and so on. ``labels`` prints
how many segments have all target and gap tags as published, and HTER within 1e-4. ``source`` prints the MCC of the
source tags of dev, by the alignments of ``kiwi corpus``, and names those that are too low. ``memory`` writes made-up
segments, and prints the seconds and the peak memory of the command.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from memory import peak_mb

from kiwi.data.files.lines import read_lines
from kiwi.data.labels.edits import edit_path, gap_tags, source_tags, target_tags
from kiwi.data.labels.tags import interleave, to_classes
from kiwi.data.labels.ter import hter
from kiwi.data.readers import parse_alignment
from kiwi.data.text.words import words
from kiwi.lib.corpus import CorpusOptions, Input, make_corpus
from kiwi.lib.corpus.alignment import METHODS, load_aligner
from kiwi.lib.corpus.options import POST_EDIT_ALIGNMENTS
from kiwi.metrics.functions import confusion, matthews

PAIRS = ["en-de", "en-zh", "et-en", "ne-en", "ro-en", "ru-en", "si-en"]

LOWEST_MCC = {"en-de": 0.83, "en-zh": 0.78, "et-en": 0.79, "ne-en": 0.70, "ro-en": 0.90, "ru-en": 0.80}
"""The lowest MCC of source tags that is accepted, by language pair."""


def compare(place: Path) -> tuple[int, int, int, float]:
    """Return the number of segments, of those whose tags and whose HTER agree, and the seconds that it took."""
    columns = [read_lines(Path(f"{place}.{suffix}")) for suffix in ("mt", "pe", "tags", "hter")]
    n_tags = n_hter = 0
    start = time.process_time()
    for target, post_edit, tags, score in zip(*columns, strict=True):
        both = words(target), words(post_edit)
        path = edit_path(*both)
        n_tags += interleave(gap_tags(path), target_tags(path)) == words(tags)
        n_hter += abs(hter(*both) - float(score)) < 1e-4
    return len(columns[0]), n_tags, n_hter, time.process_time() - start


def labels(directory: Path, pairs: list[str], n_processes: int) -> None:
    """Print the agreement of tags and HTER."""
    places = [directory / pair / part for pair in pairs for part in ("train", "dev", "test20")]
    print("part", "segments", "tags", "HTER", "segments/s", sep="\t")
    total = np.zeros(4)
    with ProcessPoolExecutor(n_processes) as pool:
        for place, found in zip(places, pool.map(compare, places), strict=True):
            n, n_tags, n_hter, seconds = found
            print(place.relative_to(directory), n, n_tags, n_hter, f"{n / seconds:.0f}", sep="\t")
            total += found
    shares = [f"{count / total[0]:.3%}" for count in total[1:3]]
    print("all", f"{total[0]:.0f}", *shares, f"{total[0] / total[3]:.0f}", sep="\t")


def source(directory: Path, pairs: list[str], n_segments: int, encoder: str | None) -> None:
    """Print the MCC of the source tags of dev."""
    aligner = load_aligner(encoder)
    for pair in pairs:
        rows = [
            read_lines(directory / pair / f"dev.{suffix}")[:n_segments] for suffix in ("src", "mt", "pe", "source_tags")
        ]
        start = time.process_time()
        alignments = list(aligner.align(rows[0], rows[2], [METHODS[POST_EDIT_ALIGNMENTS]] * len(rows[0])))
        seconds = time.process_time() - start
        found, gold = [], []
        for text, target, post_edit, tags, line in zip(*rows, alignments, strict=True):
            path = edit_path(words(target), words(post_edit))
            found.append(" ".join(source_tags(path, parse_alignment(line), len(words(text)))))
            gold.append(tags)
        value = matthews(confusion(*(np.concatenate([to_classes(line) for line in each]) for each in (gold, found))))
        verdict = "" if value >= LOWEST_MCC.get(pair, 0.0) else f", below {LOWEST_MCC[pair]:.2f}"
        print(
            pair, len(gold), f"MCC {value:.3f}{verdict}", f"{len(gold) / seconds:.1f} segments/s", sep="\t", flush=True
        )


def memory(n_segments: int) -> None:
    """Print the seconds and the peak memory of the command."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        drawn = random.Random(1)
        files = {suffix: (place / suffix).open("w") for suffix in ("src", "mt", "pe")}
        for number in range(n_segments):
            text = [f"word{drawn.randrange(20_000)}" for _ in range(drawn.randrange(5, 30))]
            # One segment in ten is edited: edits take time, but no memory.
            edited = [word if number % 10 or drawn.random() > 0.2 else "other" for word in text]
            for suffix, line in (("src", [str(number), *text]), ("mt", text), ("pe", edited)):
                files[suffix].write(" ".join(line) + "\n")
        for file in files.values():
            file.close()
        given = Input({"source": place / "src", "target": place / "mt", "post_edit": place / "pe"})
        start = time.perf_counter()
        make_corpus(place / "out", given, CorpusOptions(tokenizer=("none", "none"), source_tags="none", align=False))
        print(f"{n_segments} segments\t{time.perf_counter() - start:.0f} s\t{peak_mb():.0f} MB, without the workers")


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=["labels", "source", "memory"])
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--pairs", nargs="+", default=PAIRS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--segments", type=int, default=None)
    parser.add_argument("--encoder", default=None)
    given = parser.parse_args()
    if given.measure == "memory":
        memory(given.segments or 1_000_000)
    elif given.directory is None:
        parser.error("expected the directory of the corpus")
    elif given.measure == "labels":
        labels(given.directory, given.pairs, given.processes)
    else:
        source(given.directory, given.pairs, given.segments or 1000, given.encoder)


if __name__ == "__main__":
    main()
