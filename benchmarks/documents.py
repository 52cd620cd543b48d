"""What it costs to score the segments of XLIFF rather than lines of text.

    python benchmarks/documents.py [--units 100000] [--rate 100]

Made-up units are read and written by ``kiwi score FILE -o OUT`` with scores that cost nothing. The program prints the
microseconds per unit, their share of the time of a system that scores --rate segments a second, and the peak memory.
It prints the same for two files of text that are read, checked and answered with one line of TSV for each segment.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from memory import peak_mb

from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.data.documents.parts import Row, Segment
from kiwi.data.documents.rating import Rating
from kiwi.data.files.table_writers import tsv_cell
from kiwi.data.segments.bad_rows import BadRows
from kiwi.data.segments.streams import SegmentStream

SIZE = 4096
"""The number of segments that are scored together, as in ``kiwi score``."""

SOURCE = "Close the window {n}, and open the door of the house before you leave the room again, please."
TARGET = "Schließen Sie das Fenster {n} und öffnen Sie die Haustür, bevor Sie den Raum wieder verlassen."
UNIT = """      <trans-unit id="{n}" xml:space="preserve">
        <source>{source} <g id="1">Now</g><x id="2"/>.</source>
        <target state="translated">{target} <g id="1">Jetzt</g><x id="2"/>.</target>
        <note>unit {n}</note>
      </trans-unit>
"""
START = """<?xml version="1.0" encoding="UTF-8"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
  <file original="a" source-language="en" target-language="de" datatype="html">
    <body>
"""
END = "    </body>\n  </file>\n</xliff>\n"


def make(directory: Path, n_units: int) -> None:
    """Write the same segments as XLIFF and as text."""
    with (directory / "a.xlf").open("w", encoding="utf-8") as file:
        file.write(START)
        for n in range(n_units):
            file.write(UNIT.format(n=n, source=SOURCE.format(n=n), target=TARGET.format(n=n)))
        file.write(END)
    for name, text in (("source", SOURCE), ("target", TARGET)):
        lines = (text.format(n=n) + "\n" for n in range(n_units))
        with (directory / name).open("w", encoding="utf-8") as file:
            file.writelines(lines)


def free_scores(segments: Sequence[Segment]) -> list[Row]:
    """Return a score for each segment, which costs nothing."""
    return [{"sentence_scores": 0.123456}] * len(segments)


def copy_xliff(directory: Path) -> None:
    """Read and write XLIFF."""
    path = directory / "a.xlf"
    how = HowToRead(Rating("sha256:0", 0.5, True, True))
    require_format(path).copy(path, directory / "b.xlf", how, free_scores, SIZE)


def copy_text(directory: Path) -> None:
    """Read two files of text, and write a score for each line."""
    files = {name: directory / name for name in ("source", "target")}
    with (directory / "scores.tsv").open("w", encoding="utf-8") as output:
        for _, columns in SegmentStream(files, SIZE, BadRows("nan")).checked():
            for _ in columns["target"]:
                output.write(tsv_cell(0.123456) + "\n")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--only", choices=["xliff", "text"], help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        start = time.process_time()
        {"xliff": copy_xliff, "text": copy_text}[options.only](options.directory)
        micro = (time.process_time() - start) / options.units * 1e6
        print(options.only, f"{micro:.1f}", f"{micro * options.rate / 1e6:.2%}", f"{peak_mb():.0f}", sep="\t")
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), options.units)
        print("format", "µs per unit", f"share at {options.rate:g} segments/s", "peak MB", sep="\t", flush=True)
        for name in ("text", "xliff"):  # each in a process of its own, for the peaks
            arguments = ["--units", options.units, "--rate", options.rate, "--only", name, "--directory", folder]
            subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
