"""How segments are assigned to parts."""

from __future__ import annotations

import tracemalloc
from contextlib import closing

import pytest

from kiwi.exceptions import DataError
from kiwi.lib.corpus import splitting
from kiwi.lib.corpus.options import CorpusOptions
from kiwi.lib.corpus.splitting import DUPLICATE, LEFT_OUT, Keys


def split(
    rows: list[tuple[str, str]], kept: list[bool] | None = None, with_groups: bool = False, **options: object
) -> list[int]:
    with closing(Keys()) as keys:
        for number, (source, group) in enumerate(rows):
            keys.add(kept[number] if kept else True, [source, f"{number}"], group if with_groups else None)
        return keys.split(CorpusOptions(**options), "FILE").tolist()  # type: ignore[arg-type]


ROWS = [(f"source {number % 40}", f"document {number // 10}") for number in range(100)]


@pytest.mark.parametrize("keep_order", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_source_is_in_one_part(keep_order: bool, seed: int) -> None:
    parts = split(ROWS, dev=12, test=9, seed=seed, keep_order=keep_order)
    assert 11 <= parts.count(1) <= 12  # every source occurs two or three times
    assert 8 <= parts.count(2) <= 9
    for source in {source for source, _ in ROWS}:
        assert len({part for part, row in zip(parts, ROWS, strict=True) if row[0] == source}) == 1
    assert parts == split(ROWS, dev=12, test=9, seed=seed, keep_order=keep_order)


@pytest.mark.parametrize("other", ["cafe\u0301 noir", "café  noir", "\u00a0café noir "])
def test_texts_that_look_the_same_are_duplicates_and_share_a_part(other: str) -> None:
    fillers = [(f"{number}", f"{number}") for number in range(20)]
    with closing(Keys()) as keys:
        for texts in [("café noir", "Kaffee"), (other, "Kaffee"), (other, "Espresso"), *fillers]:
            keys.add(True, texts, None)
        for seed in range(10):
            parts = keys.split(CorpusOptions(dev=5, test=5, seed=seed), "FILE").tolist()
            assert parts[1] == DUPLICATE
            assert parts[0] == parts[2]


def test_seeds_differ() -> None:
    assert split(ROWS, dev=0.1, test=0.1, seed=1) != split(ROWS, dev=0.1, test=0.1, seed=2)


def test_documents_stay_together() -> None:
    rows = [(f"source {number}", f"document {number // 10}") for number in range(100)]
    parts = split(rows, with_groups=True, dev=20, test=10)
    assert (parts.count(1), parts.count(2)) == (20, 10)
    assert all(len(set(parts[start : start + 10])) == 1 for start in range(0, 100, 10))


def test_documents_with_a_common_source_stay_together() -> None:
    rows = [("x", "a"), ("y", "a"), ("y", "b"), ("z", "b"), *((f"{n}", f"{n}") for n in range(20))]
    for seed in range(20):
        parts = split(rows, with_groups=True, dev=8, test=8, seed=seed)
        assert len(set(parts[:4])) == 1


def test_order() -> None:
    rows = [(f"source {number}", "") for number in range(10)]
    assert split(rows, keep_order=True, dev=2, test=3) == [0] * 5 + [1] * 2 + [2] * 3


def test_no_document_in_train_is_newer_than_one_in_test(caplog: pytest.LogCaptureFixture) -> None:
    rows = [(f"{number}", name) for number, name in enumerate("AAABBBCCCCCDD")]
    parts = split(rows, with_groups=True, keep_order=True, dev=6, test=3)
    assert parts == [0] * 6 + [1] * 5 + [2] * 2
    assert "test has 2 segments instead of 3" in caplog.text
    assert "the document before them has 5, and with --keep-order" in caplog.text
    assert "Raise --test to 7 to include it" in caplog.text
    assert "dev has 5 segments instead of 6" in caplog.text
    assert "Raise --dev to 8 to include it" in caplog.text
    assert split(rows, with_groups=True, keep_order=True, dev=5, test=2) == parts
    assert split(rows, with_groups=True, keep_order=True, dev=8, test=2) == [0] * 3 + [1] * 8 + [2] * 2


@pytest.mark.parametrize(
    ("dev", "test", "message"),
    [
        (3, 3, "found 5 segments in the last document; expected at most 3, the size of test. Raise --test to 5:"),
        (3, 5, "found 4 segments in the last document before test; expected at most 3, .* of dev. Raise --dev to 4:"),
    ],
)
def test_the_last_document_is_not_skipped_because_it_does_not_fit(dev: int, test: int, message: str) -> None:
    rows = [(f"{number}", name) for number, name in enumerate("AAABBBBCCCCC")]
    with pytest.raises(DataError, match=message):
        split(rows, with_groups=True, keep_order=True, dev=dev, test=test)
    assert split(rows, with_groups=True, keep_order=True, dev=4, test=5) == [0] * 3 + [1] * 4 + [2] * 5


def test_a_source_repeated_all_over_the_corpus_does_not_end_a_part_that_it_does_not_fit() -> None:
    rows = [("Save" if number % 20 == 0 else f"{number}", "") for number in range(5000)]
    parts = split(rows, keep_order=True, dev=200, test=200)
    assert [parts.count(part) for part in range(3)] == [4600, 200, 200]
    assert {part for part, (source, _) in zip(parts, rows, strict=True) if source == "Save"} == {0}
    others = [part for part, (source, _) in zip(parts, rows, strict=True) if source != "Save"]
    assert others == sorted(others)


def test_small_corpora_have_parts_of_a_tenth() -> None:
    parts = split([(f"{number}", "") for number in range(50)])
    assert (parts.count(1), parts.count(2)) == (5, 5)
    assert split([("a", ""), ("b", ""), ("c", "")], dev=0, test=0) == [0, 0, 0]


def test_what_is_left_out() -> None:
    rows = ((True, "a"), (False, ""), (True, "b"), (True, "a"), (False, ""), (True, "c"), (True, "a"))
    with closing(Keys()) as keys:
        for is_kept, row in rows:
            keys.add(is_kept, [row], None)
        options = CorpusOptions(dev=0, test=0)
        assert keys.split(options, "FILE").tolist() == [0, LEFT_OUT, 0, DUPLICATE, LEFT_OUT, 0, DUPLICATE]
        kept = CorpusOptions(dev=0, test=0, keep=frozenset({"duplicate"}))
        assert keys.split(kept, "FILE").tolist() == [0, LEFT_OUT, 0, 0, LEFT_OUT, 0, 0]


def test_hashes_are_compared_range_by_range_and_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [number % 11 != 3 for number in range(100)]
    options: dict[str, object] = {"dev": 12, "test": 9}
    expected = split(ROWS, kept, **options)
    monkeypatch.setattr(splitting, "AT_ONCE", 7)
    monkeypatch.setattr(splitting, "N_RANGES", 1)
    assert split(ROWS, kept, **options) == expected
    assert [part == LEFT_OUT for part in expected] == [not each for each in kept]


def test_memory_for_each_segment_is_small() -> None:
    with closing(Keys()) as keys:
        for number in range(200_000):
            keys.add(True, [f"{number}"], None)
        tracemalloc.start()
        keys.split(CorpusOptions(), "FILE")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 30 * 200_000


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([("a", ""), ("b", "")], {"dev": 1, "test": 1}, "FILE: found 2 segments; expected more than 1 for dev and 1"),
        ([("a", ""), ("b", "")], {}, "found 2 segments"),
        ([("a", "")] * 9 + [("b", "")] * 9, {"dev": 5, "test": 0}, "at most 5 segments, the size of dev"),
        ([], {}, "found 0 segments"),
        (
            [(f"{n}", "") for n in range(11)],
            {"dev": 0.01},
            "11 segments, and a share of 0.01 of them for dev, which is",
        ),
        ([(f"{n}", "") for n in range(11)], {"test": 0.04}, "Raise --test, or give --test 0 to do without it"),
        (
            [("a", ""), *[("b", "")] * 9, ("c", "")],
            {"dev": 2, "test": 2},
            "found 2 of that size, all in test; expected a document .* of at most 2 segments for dev. Lower --test",
        ),
    ],
)
def test_too_few_segments(rows: list[tuple[str, str]], options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(rows, **options)
