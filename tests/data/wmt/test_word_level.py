from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kiwi.data.wmt.header import Header
from kiwi.data.wmt.word_level import (
    EOS,
    WordSubmission,
    read_word_submission,
    target_with_eos,
    write_word_submission,
)
from kiwi.exceptions import DataError

WMT21 = WordSubmission(
    Header(1000, 20),
    "en-de",
    "kiwi",
    target_tags=[["OK", "BAD"], ["OK"]],
    gap_tags=[["OK", "OK", "BAD"], ["OK", "OK"]],
    source_tags=[["BAD"], ["OK", "OK"]],
    target_words=[["ein", "Haus"], ["zwei"]],
    source_words=[["house"], ["two", "."]],
)
WMT23 = WordSubmission(
    Header(1000, 20, 1),
    "en-de",
    "kiwi",
    target_tags=[["OK", "BAD", "BAD"], ["OK", "OK"]],
    target_words=[["ein", "Haus", EOS], ["zwei", EOS]],
)
TARGET = [["ein", "Haus"], ["zwei"]]
SOURCE = [["house"], ["two", "."]]

LINES = """1000
20
en-de kiwi mt 0 0 ein OK
en-de kiwi mt 0 1 Haus BAD
en-de kiwi mt 1 0 zwei OK
en-de kiwi gap 0 0 gap OK
en-de kiwi gap 0 1 gap OK
en-de kiwi gap 0 2 gap BAD
en-de kiwi gap 1 0 gap OK
en-de kiwi gap 1 1 gap OK
en-de kiwi source 0 0 house BAD
en-de kiwi source 1 0 two OK
en-de kiwi source 1 1 . OK
"""


def write(directory: Path, lines: list[str]) -> Path:
    """A file whose columns are written with a space for the tab."""
    path = directory / "submission.tsv"
    path.write_text("".join(line.replace(" ", "\t") + "\n" for line in lines), encoding="utf-8")
    return path


def test_what_is_written(tmp_path: Path) -> None:
    write_word_submission(tmp_path / "a", WMT21)
    assert (tmp_path / "a").read_text() == LINES.replace(" ", "\t")


@pytest.mark.parametrize("submission", [WMT21, replace(WMT21, header=Header()), WMT23, replace(WMT23, header=Header())])
def test_submissions_come_back(submission: WordSubmission, tmp_path: Path) -> None:
    write_word_submission(tmp_path / "a", submission)
    assert read_word_submission(tmp_path / "a") == submission
    assert read_word_submission(tmp_path / "a", "en-de", TARGET, SOURCE) == submission
    shouted = [[word.upper() for word in words] for words in TARGET]
    assert read_word_submission(tmp_path / "a", "en-de", shouted, SOURCE) == submission
    assert submission.has_eos == (submission.gap_tags is None)


def test_the_official_type_is_in_capitals(tmp_path: Path) -> None:
    write_word_submission(tmp_path / "a", WMT23)
    content = (tmp_path / "a").read_text()
    assert content.count("\tMT\t") == 5
    (tmp_path / "b").write_text(content.replace("\tMT\t", "\tmT\t"))
    assert read_word_submission(tmp_path / "b", "en-de", TARGET) == WMT23
    (tmp_path / "b").write_text(content.replace("<EOS>\tBAD", "<EOS>"))
    with pytest.raises(DataError, match="line 6: found 6 columns"):
        read_word_submission(tmp_path / "b", "en-de", TARGET)
    path = write(tmp_path, LINES.replace(" source ", " SOURCE ").replace(" gap 1", " Gap 1").splitlines())
    assert read_word_submission(path) == WMT21
    path = write(tmp_path, LINES.replace(" gap 0 1 gap", " GAP 0 3 gap").splitlines())
    with pytest.raises(DataError, match=re.escape("line 8: found INDEX 2 of SEG 0 (gap), but no INDEX 1")):
        read_word_submission(path)


def test_the_rows_of_one_language_pair(tmp_path: Path) -> None:
    others = [f"{line.replace('en-de kiwi', 'en-zh other')} " for line in LINES.splitlines()[2:5]]
    names = "lp method type seg index word tag"
    path = write(tmp_path, ["9", "8", names, others[0], *LINES.splitlines()[2:7], *others[1:], *LINES.splitlines()[7:]])
    found = read_word_submission(path, "en-de", TARGET, SOURCE)
    assert found == replace(WMT21, header=Header(9, 8))
    assert read_word_submission(path, "en-zh").target_tags == WMT21.target_tags
    with pytest.raises(DataError, match=re.escape("several language pairs: en-zh, en-de; expected one language pair")):
        read_word_submission(path)


def test_expected_words_may_have_eos(tmp_path: Path) -> None:
    write_word_submission(tmp_path / "a", WMT23)
    assert read_word_submission(tmp_path / "a", target_words=WMT23.target_words) == WMT23


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("submission", [WMT21, WMT23])
def test_rows_in_any_order(submission: WordSubmission, seed: int, tmp_path: Path) -> None:
    write_word_submission(tmp_path / "a", submission)
    lines = (tmp_path / "a").read_text().splitlines(keepends=True)
    size = len(submission.header.figures)
    rows = lines[size:]
    random.Random(seed).shuffle(rows)
    (tmp_path / "b").write_text("".join(lines[:size] + rows))
    assert read_word_submission(tmp_path / "b") == submission


@pytest.mark.parametrize("kind", ["mt", "gap", "source"])
def test_a_file_of_one_type(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, [line for line in LINES.splitlines() if f" {kind} " in line])
    found = read_word_submission(path, "en-de", TARGET, SOURCE)
    expected = {"mt": "target_tags", "gap": "gap_tags", "source": "source_tags"}
    for name in expected.values():
        assert getattr(found, name) == (getattr(WMT21, name) if name == expected[kind] else None)


def test_a_translation_without_words(tmp_path: Path) -> None:
    submission = replace(WMT21, target_tags=[[], ["OK"]], gap_tags=[["BAD"], ["OK", "OK"]], target_words=[[], ["zwei"]])
    write_word_submission(tmp_path / "a", submission)
    assert read_word_submission(tmp_path / "a") == submission
    assert read_word_submission(tmp_path / "a", target_words=[[], ["zwei"]]) == submission
    without = replace(submission, gap_tags=None)
    write_word_submission(tmp_path / "a", without)
    assert read_word_submission(tmp_path / "a", target_words=[[], ["zwei"]]) == without


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n\ufeff\0"), min_size=1).filter(
    lambda word: word.strip() and word != EOS  # translations that end with EOS are another form
)
SEGMENTS = st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), target=SEGMENTS, source=SEGMENTS, header=st.sampled_from([Header(), Header(0, 0)]))
def test_anything_comes_back(
    tmp_path: Path, data: st.DataObject, target: list[list[str]], source: list[list[str]], header: Header
) -> None:
    def tags(words: list[str], more: int = 0) -> list[str]:
        size = len(words) + more
        return data.draw(st.lists(st.sampled_from(["OK", "BAD"]), min_size=size, max_size=size))

    target_tags = [tags(words) for words in target]
    gap_tags = [tags(words, 1) for words in target]
    source_tags = [tags(words) for words in source]
    submission = WordSubmission(header, "en-de", "kiwi", target_tags, gap_tags, source_tags, target, source)
    write_word_submission(tmp_path / "a", submission)
    assert read_word_submission(tmp_path / "a", "en-de", target, source) == submission
    folded = [target_with_eos(*parts) for parts in zip(target, target_tags, gap_tags, strict=True)]
    words, with_eos = map(list, zip(*folded, strict=True))
    submission = WordSubmission(Header(1, 2, 3), "en-de", "kiwi", with_eos, target_words=words)
    write_word_submission(tmp_path / "a", submission)
    assert read_word_submission(tmp_path / "a", "en-de", target) == submission


@pytest.mark.parametrize(
    ("words", "tags", "gaps", "expected"),
    [
        ("a b", "OK BAD", "OK OK OK", "OK BAD OK"),
        ("a b", "OK BAD", "BAD OK OK", "BAD BAD OK"),
        ("a b", "OK BAD", "OK BAD BAD", "OK BAD BAD"),
        ("a b", "OK OK", "OK BAD OK", "OK BAD OK"),
        ("a b", "OK BAD", None, "OK BAD OK"),
        ("", "", "BAD", "BAD"),
        ("a <EOS>", "OK BAD", None, "OK BAD"),
        ("a <EOS>", "OK OK", "OK BAD OK", "OK BAD"),
        ("a <EOS>", "OK OK", "OK OK BAD", "OK BAD"),
    ],
)
def test_gaps_fold_into_the_words_after_them(words: str, tags: str, gaps: str | None, expected: str) -> None:
    found = target_with_eos(words.split(), tags.split(), None if gaps is None else gaps.split())
    assert found == ([*words.removesuffix(EOS).split(), EOS], expected.split())


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("mt 0 1 Haus BAD", "mt 0 1 BAD", 4, "found 6 columns; expected 7: LP METHOD TYPE SEG INDEX WORD TAG"),
        ("mt 0 1 Haus BAD", "mt 0 1 Haus BAD 1", 4, "found 8 columns"),
        ("mt 0 1 Haus BAD", "mt", 4, "found 3 columns"),
        ("mt 0 1 Haus BAD", "mt 0 1 Haus bad", 4, "found the TAG 'bad'; expected OK or BAD"),
        ("mt 0 1 Haus BAD", "mt 0 0 Haus BAD", 4, "found INDEX 0 of SEG 0 (mt) again; expected each index once"),
        ("mt 0 1 Haus BAD", "mt 0 2 Haus BAD", 4, "found INDEX 2 of SEG 0 (mt), but no INDEX 1"),
        ("mt 0 1 Haus BAD", "mt 0 x Haus BAD", 4, "found the INDEX 'x'; expected a whole number"),
        ("mt 0 1 Haus BAD", "mt 0 1 Maus BAD", 4, "found the word 'Maus' at INDEX 1 of SEG 0 (mt); expected 'Haus'"),
        ("mt 0 1 Haus BAD", "word 0 1 Haus BAD", 4, "found the TYPE 'word'; expected one of mt, gap, source"),
        ("mt 1 0 zwei OK", "mt 2 0 zwei OK", 5, "found SEG 2 (mt); expected less than 2"),
        ("mt 1 0 zwei OK", "mt x 0 zwei OK", 5, "found the SEG 'x'"),
        ("en-de kiwi mt 1", "en-de wiki mt 1", 5, "found the method 'wiki'"),
        ("source 0 0 house BAD", "source 0 0 mouse BAD", 11, "found the word 'mouse' at INDEX 0 of SEG 0 (source)"),
        ("gap 1 1 gap OK", "gap 0 3 gap OK", 10, "found 4 rows of SEG 0 (gap); expected 3, one more than it has words"),
        ("mt 1 0 zwei OK\n", "mt 1 0 zwei OK\nen-de kiwi mt 1 1 zu OK\n", 6, "found 2 rows of SEG 1 (mt); expected 1"),
        ("en-de kiwi mt 0 1 Haus BAD\n", "", 3, "found 1 rows of SEG 0 (mt); expected 2, the words of the segment"),
        ("en-de kiwi gap 1 1 gap OK\n", "", 9, "found 1 rows of SEG 1 (gap); expected 2"),
        (
            "en-de kiwi source 0 0 house BAD\n",
            "",
            11,
            "found SEG 1, but no SEG 0 (source); expected each of 2 segments",
        ),
        ("1000\n20\n", "1000\n20\n1\n", 7, "found the TYPE 'gap'; expected 'mt' only, as translations end with <EOS>"),
        ("mt 0 1 Haus BAD", "mt 0 1 <EOS> BAD", 6, "found the TYPE 'gap'; expected 'mt' only"),
    ],
)
def test_words_that_are_refused(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert old in LINES
    path = write(tmp_path, LINES.replace(old, new, 1).splitlines())
    with pytest.raises(DataError) as error:
        read_word_submission(path, "en-de", TARGET, SOURCE)
    assert str(error.value).startswith(f"{path}, line {line}: {message}")


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (
            ["9", "8", "1", "en-de kiwi mt 0 0 ein OK"],
            4,
            "found 'ein' as the last word of SEG 0; expected <EOS>, as the",
        ),
        (
            ["en-de kiwi mt 0 0 <EOS> OK", "en-de kiwi mt 1 0 zwei OK"],
            2,
            "found 'zwei' as the last word of SEG 1; expected <EOS>, as in other segments",
        ),
        (
            ["en-de kiwi mt 0 1 b OK", "en-de kiwi mt 0 0 a OK", "en-de kiwi mt 0 1 b OK"],
            1,
            "found INDEX 1 of SEG 0 (mt) twice; expected each index once",
        ),
        (
            ["en-de kiwi mt 0 1 b OK", "en-de kiwi mt 0 1 b OK", "en-de kiwi mt 0 0 a OK"],
            2,
            "found INDEX 1 of SEG 0 (mt) again",
        ),
        (["en-de kiwi mt 0 0 a OK", "en-de kiwi gap 1 0 gap OK"], 2, "found SEG 1, but no SEG 0 (gap)"),
    ],
)
def test_words_that_do_not_agree_with_each_other(tmp_path: Path, lines: list[str], line: int, message: str) -> None:
    path = write(tmp_path, lines)
    with pytest.raises(DataError) as error:
        read_word_submission(path)
    assert str(error.value).startswith(f"{path}, line {line}: {message}")


def test_another_language_pair(tmp_path: Path) -> None:
    path = write(tmp_path, LINES.splitlines())
    with pytest.raises(
        DataError, match=re.escape(f"{path}, line 3: found the language pair 'en-de'; expected 'en-zh'")
    ):
        read_word_submission(path, "en-zh")


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        (replace(WMT21, header=Header(1, 2, 3)), "expected translations that end with <EOS>"),
        (replace(WMT23, gap_tags=[["OK"]]), "expected neither gap_tags nor source_tags"),
        (WordSubmission(Header(), "en-de", "kiwi"), "Found a submission without tags"),
        (replace(WMT21, target_words=None), "Found tags of type mt without words"),
        (replace(WMT21, target_tags=[["OK", "BAD"]]), "Found mt tags for 1 segments and words for 2"),
        (replace(WMT21, gap_tags=[["OK"] * 3, ["OK"]]), "Segment 1 (from 0): found 1 gap tags; expected 2"),
        (replace(WMT21, source_tags=[["bad"], ["OK", "OK"]]), "Segment 0 (from 0): found the tag 'bad'"),
        (replace(WMT21, target_words=[["ein", "Ha\tus"], ["zwei"]]), "Segment 0 (from 0), a word: found 'Ha\\tus'"),
    ],
)
def test_words_that_are_not_written(tmp_path: Path, submission: WordSubmission, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        write_word_submission(tmp_path / "a", submission)
    assert list(tmp_path.iterdir()) == []
