"""The processor time that reading a segment takes, for each form of input.

    python benchmarks/readers.py [--rows 200000] [--repeats 5] [--against TREE] [--only tsv]

Writes the same segments as text, TSV, JSON Lines, Parquet, tags and probabilities, and prints microseconds per row.
Each run is a process of its own; figures are medians. With --against, each run is paired with one of the kiwi in
another directory, such as a checkout of an earlier commit, and the ratio is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

COLUMNS = {"source": "source", "target": "target"}


def write_inputs(folder: Path, n_rows: int) -> None:
    """Write random segments of 5 to 40 words in all forms."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyzäöüß", k=draw.randint(1, 12))) for _ in range(5000)]

    def text() -> str:
        return " ".join(draw.choices(words, k=draw.randint(5, 40)))

    rows = [(text(), text()) for _ in range(n_rows)]
    targets = [target for _, target in rows]
    contents = {
        "text": targets,
        "crlf": [f"{target}\r" for target in targets],
        "rows.tsv": ["source\ttarget", *map("\t".join, rows)],
        "pipe.tsv": map("\t".join, rows),
        "rows.jsonl": [json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) for row in rows],
        "tags": [" ".join(draw.choices(("OK", "BAD"), k=len(target.split()))) for target in targets],
        "probabilities": [" ".join(f"{draw.random():.6f}" for _ in target.split()) for target in targets],
    }
    for name, lines in contents.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            file.writelines(f"{line}\n" for line in lines)
    import pyarrow
    import pyarrow.parquet

    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    table = pyarrow.table({name: pyarrow.array(texts) for name, texts in columns.items()})
    pyarrow.parquet.write_table(table, folder / "rows.parquet")


def readers(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what reads each form, by name."""
    from kiwi.data.files.lines import read_lines, stream_lines
    from kiwi.data.files.mapped_lines import MappedLines
    from kiwi.data.files.tables import stream_table
    from kiwi.data.labels.ragged import read_probabilities, read_tags
    from kiwi.data.segments.piped import read_pipe
    from kiwi.data.segments.shards import Shard
    from kiwi.utils.places import Place

    def each(rows: Any) -> int:
        return sum(1 for _ in rows)

    def piped(name: str, form: Any) -> int:
        with (folder / name).open("rb") as file:
            return each(read_pipe(file, form, COLUMNS, 4096))

    def shard(name: str, form: Any) -> int:
        return each(Shard(Place.of(str(folder / name)), form, COLUMNS).chunks(4096))

    return {
        "text, at once": lambda: read_lines(folder / "text"),
        "text with CRLF, at once": lambda: read_lines(folder / "crlf"),
        "text, streamed": lambda: each(stream_lines(folder / "text")),
        "text, mapped": lambda: MappedLines(folder / "text"),
        "tags": lambda: read_tags(folder / "tags"),
        "probabilities": lambda: read_probabilities(folder / "probabilities"),
        "tsv": lambda: each(stream_table(folder / "rows.tsv", COLUMNS, 4096)),
        "jsonl": lambda: each(stream_table(folder / "rows.jsonl", COLUMNS, 4096)),
        "parquet": lambda: each(stream_table(folder / "rows.parquet", COLUMNS, 4096)),
        "tsv, pipe": lambda: piped("pipe.tsv", "tsv"),
        "jsonl, pipe": lambda: piped("rows.jsonl", "jsonl"),
        "tsv, shard": lambda: shard("rows.tsv", "tsv"),
        "jsonl, shard": lambda: shard("rows.jsonl", "jsonl"),
        "parquet, shard": lambda: shard("rows.parquet", "parquet"),
    }


def child(folder: Path, only: str) -> None:
    """Print the processor time of each reader, in seconds."""
    seconds = {}
    for name, read in readers(folder).items():
        if only in name:
            read()
            start = time.process_time()
            read()
            seconds[name] = time.process_time() - start
    print(json.dumps(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="the number of segments")
    parser.add_argument("--repeats", type=int, default=5, help="the number of runs")
    parser.add_argument("--against", type=Path, help="the directory of another kiwi")
    parser.add_argument("--only", default="", help="a part of the names of the forms to read")
    arguments = parser.parse_args()
    trees = [arguments.against.resolve(), ROOT] if arguments.against else [ROOT]
    runs: dict[Path, list[dict[str, float]]] = {tree: [] for tree in trees}
    with tempfile.TemporaryDirectory() as scratch:
        write_inputs(Path(scratch), arguments.rows)
        for number in range(arguments.repeats):
            for tree in trees if number % 2 else trees[::-1]:
                command = [sys.executable, __file__, "child", scratch, arguments.only]
                environment = os.environ | {"PYTHONPATH": str(tree)}
                output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
                runs[tree].append(json.loads(output))
    print("microseconds per row" + (", before and after, and their ratio" if len(trees) == 2 else ""))
    for name in runs[ROOT][0]:
        figures = [statistics.median(run[name] for run in runs[tree]) / arguments.rows * 1e6 for tree in trees]
        ratio = f"{figures[-1] / figures[0]:10.2f}" if len(figures) == 2 else ""
        print(f"{name:26}" + "".join(f"{figure:10.2f}" for figure in figures) + ratio)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(Path(sys.argv[2]), sys.argv[3])
    else:
        main()
