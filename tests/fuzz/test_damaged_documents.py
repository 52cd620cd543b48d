"""A fuzzer of the files of translators: whatever they contain, they are copied, or the error says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tests.data.documents import test_po, test_tmx, test_xliff_1, test_xliff_2
from tests.data.documents.tables import test_parquet, test_text_tables, test_xlsx
from tests.documents import copied
from tests.fuzz.damage import bounded, damaged_bytes, judge

PLAIN = test_xliff_1.PLAIN.format(**test_xliff_1.NOTHING)
DOCUMENTS = {
    "a.xlf": PLAIN,
    "utf-16.xlf": PLAIN.replace("UTF-8", "UTF-16").encode("utf-16"),
    "a.sdlxliff": test_xliff_1.SDL.format(base64="aaaa", head="", first="", second="", state=""),
    "2.xlf": test_xliff_2.DOCUMENT.format(version="2.1", namespace="2.0", **test_xliff_2.BEFORE),
    "a.tmx": test_tmx.MEMORY.format(first="", second=""),
    "a.po": test_po.filled(),
    "a.csv": test_text_tables.CSV.format(d=";"),
    "a.tsv": test_text_tables.CSV.format(d="\t").replace('"', ""),
    "a.jsonl": test_text_tables.LINES,
    "a.json": '[\n {"source": "one", "target": "eins"},\n {"target": "zwei", "source": "two", "x": [1, {}]}\n]\n',
    "a.xlsx": b"",
    "a.parquet": b"",
}
SCORED = ("a.csv", "a.tsv", "a.jsonl", "a.json", "a.xlsx", "a.parquet")
"""The documents that are also damaged with the columns of an earlier run."""


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The documents as bytes; those of libraries are made here."""
    folder: Path = tmp_path_factory.mktemp("documents")
    made = {
        "a.xlsx": test_xlsx.workbook(folder / "a.xlsx", test_xlsx.ROWS),
        "a.parquet": test_parquet.parquet(folder / "a.parquet", {"source": ["a", "b"], "target": ["c", "d"]}),
    }
    found = {name: text.encode() if isinstance(text, str) else text for name, text in DOCUMENTS.items()} | made
    return found | {f"scored-{name}": copied(found[name], name).content for name in SCORED}


@pytest.mark.parametrize("name", [*DOCUMENTS, *(f"scored-{name}" for name in SCORED)])
@bounded
@given(data=st.data())
def test_documents(documents: dict[str, bytes], name: str, data: st.DataObject) -> None:
    content, size = data.draw(damaged_bytes(documents[name])), data.draw(st.sampled_from([1, 3]))
    judge(lambda: copied(content, name, size))
