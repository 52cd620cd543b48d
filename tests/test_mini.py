"""The preparation of the data of kiwi-mini."""

from __future__ import annotations

import gzip
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[1] / "tools" / "mini" / "prepare.py"


@pytest.fixture(scope="module")
def prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prepare_mini", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "tokens", "tags", "gaps", "expected"),
    [
        ("Das ist gut.", "Das ist gut .", "OK BAD OK OK", "", "OK BAD OK"),
        ("Das ist gut.", "Das ist gut .", "OK OK OK BAD", "OK OK OK OK OK", "OK OK OK OK OK BAD OK"),
        # What is missing before the full stop is missing after the last word.
        ("Das ist gut.", "Das ist gut .", "OK OK OK OK", "BAD OK OK BAD OK", "BAD OK OK OK OK OK BAD"),
        ("10 000 Euro", "10000 Euro", "BAD OK", "OK OK OK", "OK OK OK BAD OK OK OK"),
        ("10\u00a0000 Euro", "10 000 Euro", "BAD OK OK", "", "BAD OK"),
        ("Das ist", "Dies ist", "OK OK", "OK OK OK", ""),
    ],
)
def test_tags_of_tokens_become_tags_of_words(
    prepare: ModuleType, text: str, tokens: str, tags: str, gaps: str, expected: str
) -> None:
    assert prepare.word_tags(text, tokens.split(), tags.split(), gaps.split()) == expected


def test_penalties_become_standardized_scores(prepare: ModuleType, tmp_path: Path) -> None:
    rows = [
        "lp\tsystem\tdoc\tseg\trater\tsource\ttarget\tstarts\tends\tseverities",
        "en-de\tA\td\t1\tr1\ts\tt\t0\t1\tmajor",
        "en-de\tA\td\t1\tr2\ts\tt\t0\t1\tminor",
        "en-de\tB\td\t1\tr1\ts\tu\t-1\t-1\tno-error",
    ]
    with gzip.open(tmp_path / "a.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")
    (document, first), (_, second) = prepare.annotated(tmp_path / "a.tsv.gz")
    assert (document, first.score, second.score) == ("d", 3.0, 0.0)  # the mean of two raters
    prepare.standardize([first, second])
    assert (first.score, second.score) == (-1.0, 1.0)
    prepare.write(tmp_path / "out", "train", [first, second])
    assert (tmp_path / "out" / "train.da").read_text() == "-1.0000\n1.0000\n"
    assert (tmp_path / "out" / "train.spans.tsv").read_text().split("\n")[1:-1] == [
        "en-de\t0\t0\t0\t1\tmajor",
        "en-de\t0\t1\t0\t1\tminor",
        "en-de\t1\t0\t-1\t-1\tno-error",
    ]
