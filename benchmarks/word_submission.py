"""Seconds and memory of reading a word-level submission of many segments.

    python benchmarks/word_submission.py [--segments 1000000] [--words 30]

Writes made-up words and tags, with <EOS> as in WMT23, to a temporary directory, and reads them in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from memory import peak_mb

from kiwi.data.wmt.header import Header
from kiwi.data.wmt.rows import write_rows
from kiwi.data.wmt.word_level import EOS, read_word_submission

VOCABULARY = 300_000
"""Words, few of them frequent."""


def rows(n_segments: int, n_words: int) -> Iterator[str]:
    random = np.random.default_rng(1)
    for segment in range(n_segments):
        words = [f"word{number % VOCABULARY}" for number in random.zipf(1.2, n_words).tolist()]
        tags = np.where(random.random(n_words + 1) < 0.2, "BAD", "OK").tolist()
        for index, (word, tag) in enumerate(zip([*words, EOS], tags, strict=True)):
            yield f"en-de\tkiwi\tmt\t{segment}\t{index}\t{word}\t{tag}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--words", type=int, default=30)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        start = time.perf_counter()
        found = read_word_submission(arguments.read, "en-de")
        seconds = time.perf_counter() - start
        n = sum(map(len, found.target_tags or []))
        print(f"{n} rows: {seconds:.1f} s, {peak_mb():.0f} MB")
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "submission.tsv"
        write_rows(path, Header(1, 1, 1), rows(arguments.segments, arguments.words))
        subprocess.run([sys.executable, __file__, "--read", str(path)], check=True)


if __name__ == "__main__":
    main()
