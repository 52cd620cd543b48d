"""Build the bundled English-German sample corpus from ``segments-*.txt``.

A segments file holds blocks separated by blank lines; lines that begin with ``#`` are comments.
A block is one segment, in two or three lines::

    S Press the green key to leave the menu .
    M Drücken Sie/- die/the grüne Schlüssel ,/- um/to das/the Menü zu/to verlassen/leave .
    P Drücken Sie die grüne Taste , um das Menü zu verlassen .

``S`` is the source, ``M`` the machine translation with its word alignment, ``P`` the post-edit;
without ``P`` the translation is perfect.  Tokens are separated by one space.  A token of ``M``
says which source words it translates, "last" being the source word named most recently:

    ``word``      the source word that follows the last one
    ``word*2``    the two (three, ...) source words that follow the last one
    ``word^``     the same source words as the aligned word before it
    ``word/a+b``  the source words ``a`` and ``b``: each the first of its form after the last
                  source word or, where none follows, the nearest before it
    ``word/-``    none

A punctuation mark with nothing after it goes to the next source token that is the same mark, or
to none.  No word may be aligned to a punctuation mark, and no mark to a word.

The files ``raw.*`` hold the texts of all segments as people write them, before tokenization.

    python tools/sample/build.py            write the corpus to kiwi/assets/sample
    python tools/sample/build.py --check    compare what is there, write nothing
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from sacremoses import MosesDetokenizer

from kiwi.constants import BAD
from kiwi.data.labels.edits import DELETED, INSERTED, SAME, edit_path, gap_tags, source_tags, target_tags
from kiwi.data.labels.tags import interleave
from kiwi.data.labels.ter import hter

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "kiwi" / "assets" / "sample"
SEED = "kiwi sample 1"
# The split of a segment that is not in parts.txt depends on its source: 16 of 22 are in train, 3 in valid, 3 in test.
ROUND = ["valid" if i in (3, 10, 17) else "test" if i in (6, 13, 20) else "train" for i in range(22)]
STATISTICS = re.compile(r"(?<=<!-- statistics -->\n).*?(?=<!-- end -->)", re.DOTALL)


@dataclass
class Segment:
    """A segment and its tags."""

    where: str
    src: list[str]
    mt: list[str]
    pe: list[str]
    links: list[list[int]]  # for each MT word, the source words it is aligned to

    def __post_init__(self) -> None:
        self.path = edit_path(self.mt, self.pe)
        self.words, self.gaps = target_tags(self.path), gap_tags(self.path)
        self.source = source_tags(self.path, self.post_edit_links(), len(self.src))
        self.hter = hter(self.mt, self.pe)
        self.key = hashlib.sha256(f"{SEED} {' '.join(self.src)}".encode()).hexdigest()

    def post_edit_links(self) -> list[tuple[int, int]]:
        """Return pairs of source word and word of the post-edit, which follow from those of the translation.

        A word of the post-edit is aligned as the word of the translation is that it stays or replaces. A missing word
        is aligned to the source words that no word of the translation is aligned to, and whose nearest neighbours are
        aligned to a word next to its gap.
        """
        links = []
        known = {i for link in self.links for i in link}
        j = k = 0  # words of the translation and of the post-edit before the step
        for step in self.path:
            if step == INSERTED:
                beside = {i for link in self.links[max(j - 1, 0) : j + 1] for i in link}
                links += [(i, k) for i in range(len(self.src)) if i not in known and neighbours(i, known) & beside]
            elif step != DELETED:
                links += [(i, k) for i in self.links[j]]
            j += step != INSERTED
            k += step != DELETED
        return links


def neighbours(i: int, known: set[int]) -> set[int]:
    """Return the nearest of some source words on either side of source word i."""
    return {max((k for k in known if k < i), default=-1), min((k for k in known if k > i), default=-1)}


def error(where: str, found: object, expected: str) -> SystemExit:
    """The end of the program, with a message."""
    return SystemExit(f"{where}: found {found!r}, expected {expected}")


def is_mark(token: str) -> bool:
    """Whether a token is punctuation only."""
    return all(unicodedata.category(char).startswith("P") for char in token)


def align(where: str, src: list[str], tokens: list[str]) -> tuple[list[str], list[list[int]]]:
    """Return the words of a line M and, for each, the indexes of its source words."""
    words: list[str] = []
    links: list[list[int]] = []
    last = -1
    for token in tokens:
        match = re.fullmatch(r"([^/^*]+)(?:/(.+)|\*([2-9])|(\^))?", token)
        if match is None:
            raise error(where, token, "word, word/source, word/-, word*n or word^")
        word, names, count, same = match.groups()
        link: list[int] = []
        if same:
            link = next((old for old in reversed(links) if old), [])
        elif names:
            for name in names.split("+") if names != "-" else []:
                places = [i for i, other in enumerate(src) if other == name]
                if not places:
                    raise error(where, token, f"a word of {' '.join(src)!r}")
                last = min(places, key=lambda i: (i <= last, abs(i - last)))
                link.append(last)
        elif not is_mark(word):
            link = list(range(last + 1, last + 1 + int(count or 1)))
        elif word in src[last + 1 :]:
            link = [src.index(word, last + 1)]
        last = link[-1] if link else last
        if last >= len(src):
            raise error(where, f"{token} at source word {last}", f"at most {len(src) - 1}")
        if len({*link}) < len(link) or any(is_mark(src[i]) != is_mark(word) for i in link):
            raise error(where, f"{token} at {[src[i] for i in link]}", "different words, or the mark")
        words.append(word)
        links.append(link)
    return words, links


def read(path: Path) -> list[Segment]:
    """The segments of a file."""
    segments = []
    block: list[tuple[str, str]] = []
    for number, line in enumerate([*path.read_text(encoding="utf-8").split("\n"), ""], 1):
        where = f"{path.name}, line {number}"
        if line and not line.startswith("#"):
            if not re.fullmatch(r"M( \S+)+|[SP]( [^\s/^*]+)+", line):
                raise error(where, line, "S, M or P and the tokens, each after one space")
            block.append((where, line))
        elif block and not line:
            (first, _), *_ = block
            if "".join(text[0] for _, text in block) not in ("SM", "SMP"):
                raise error(first, [text for _, text in block], "the lines S and M, or S, M and P")
            rows = [text.split(" ")[1:] for _, text in block]
            mt, links = align(block[1][0], rows[0], rows[1])
            if rows[2:] == [mt]:
                raise error(block[2][0], "a post-edit like the translation", "no line P")
            segments.append(Segment(first, rows[0], mt, rows[2] if rows[2:] else mt, links))
            block = []
    return segments


def deal(segments: list[Segment]) -> dict[str, list[Segment]]:
    """Split the segments, those of each split in an order that depends on their sources alone."""
    splits: dict[str, list[Segment]] = {"train": [], "valid": [], "test": []}
    first: dict[str, Segment] = {}
    known = dict(line.split() for line in (HERE / "parts.txt").read_text(encoding="utf-8").splitlines())
    for segment in sorted(segments, key=lambda s: s.key):
        if first.setdefault(segment.key, segment) is not segment:
            raise error(segment.where, " ".join(segment.src), f"not that of {first[segment.key].where}")
        splits[known.get(segment.key[:12]) or ROUND[int(segment.key, 16) % len(ROUND)]].append(segment)
    return splits


def table(splits: dict[str, list[Segment]]) -> str:
    """Statistics of the splits, in Markdown."""
    rows = [
        "split|segments|perfect|source words|MT words|BAD words|BAD gaps|BAD source words|mean HTER",
        "---" + "|---:" * 8,
    ]
    for name, part in [*splits.items(), ("all", [segment for one in splits.values() for segment in one])]:
        flat = [[tag for s in part for tag in getattr(s, side)] for side in ("words", "gaps", "source")]
        words, gaps, source = (f"{tags.count(BAD)} ({tags.count(BAD) / len(tags):.1%})" for tags in flat)
        rows.append(
            f"{name}|{len(part)}|{sum(set(s.path) == {SAME} for s in part) / len(part):.1%}|{len(flat[2])}|"
            f"{len(flat[0])}|{words}|{gaps}|{source}|{sum(s.hter for s in part) / len(part):.4f}"
        )
    return "".join(f"| {row.replace('|', ' | ')} |\n" for row in rows)


def outputs(splits: dict[str, list[Segment]]) -> dict[str, str]:
    """Return the content of each file of the corpus by its name."""
    readme = (TARGET / "README.md").read_text(encoding="utf-8")
    files = {"README.md": STATISTICS.sub(lambda _: table(splits), readme)}
    for name, part in splits.items():
        lines: dict[str, list[str]] = {
            "src": [" ".join(s.src) for s in part],
            "mt": [" ".join(s.mt) for s in part],
            "pe": [" ".join(s.pe) for s in part],
            "hter": [f"{s.hter:.6f}" for s in part],
            "tags": [" ".join(interleave(s.gaps, s.words)) for s in part],
            "target_tags": [" ".join(s.words) for s in part],
            "source_tags": [" ".join(s.source) for s in part],
            "alignments": [
                " ".join(f"{i}-{j}" for i, j in sorted((i, j) for j, link in enumerate(s.links) for i in link))
                for s in part
            ],
        }
        files.update({f"{name}.{kind}": "".join(f"{line}\n" for line in rows) for kind, rows in lines.items()})
    for kind, language in (("src", "en"), ("mt", "de"), ("pe", "de")):
        join = MosesDetokenizer(lang=language).detokenize
        files[f"raw.{kind}"] = "".join(
            f"{join(line.split())}\n" for name in splits for line in files[f"{name}.{kind}"].splitlines()
        )
    return files


def main() -> int:
    """Build, or check; the exit status."""
    parser = argparse.ArgumentParser(description="Build the bundled sample corpus.")
    parser.add_argument("--check", action="store_true", help="compare what is there, write nothing")
    check = parser.parse_args().check
    splits = deal([segment for path in sorted(HERE.glob("segments-*.txt")) for segment in read(path)])
    print(table(splits), end="")
    status = 0
    for name, text in outputs(splits).items():
        path = TARGET / name
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
        elif not path.is_file() or path.read_bytes() != text.encode():
            print(f"{path}: not what tools/sample/build.py writes", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
