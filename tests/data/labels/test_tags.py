import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from kiwi.data.labels.tags import TagForm, check_tags, interleave, split_tags, to_classes, to_labels
from kiwi.exceptions import DataError


@pytest.mark.parametrize(
    ("line", "n_words", "form"),
    [
        ("OK BAD", 2, TagForm.WORDS),
        ("OK BAD OK OK OK", 2, TagForm.INTERLEAVED),
        ("OK", 1, TagForm.WORDS),
        ("OK OK OK", 3, TagForm.WORDS),
        ("OK OK OK", 1, TagForm.INTERLEAVED),
        ("", 0, TagForm.WORDS),
        ("OK", 0, TagForm.INTERLEAVED),
    ],
)
def test_form_of_a_file(line, n_words, form):
    assert TagForm.of(line, n_words, "file") is form
    assert form.count(n_words) == len(line.split())


@pytest.mark.parametrize(("line", "found"), [("OK", 1), ("OK OK OK OK", 4), ("", 0), ("OK OK OK OK OK OK", 6)])
def test_a_line_of_neither_form_is_refused(line, found):
    with pytest.raises(DataError) as caught:
        TagForm.of(line, 2, "some.tags")
    assert str(caught.value).startswith(f"some.tags, line 1: found {found} tags; expected 2 ")
    assert " or 5 " in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "counts", "form"),
    [
        (["OK BAD", "BAD"], [2, 1], TagForm.WORDS),
        (["OK\tBAD ", ""], [2, 0], TagForm.WORDS),
        (["OK BAD OK", "OK"], [1, 0], TagForm.INTERLEAVED),
    ],
)
def test_good_tags(lines, counts, form):
    check_tags(lines, counts, form, "file")


@pytest.mark.parametrize(
    ("lines", "counts", "form", "start", "expected"),
    [
        (["OK"], [2], TagForm.WORDS, "f, line 1: found 1 tags", "expected 2 "),
        (["OK", "OK OK OK"], [1, 1], TagForm.WORDS, "f, line 2: found 3 tags", "expected 1 "),
        (["OK OK OK", "OK"], [1, 1], TagForm.INTERLEAVED, "f, line 2: found 1 tags", "expected 3 "),
        (["OK", "", "OK"], [1, 1, 1], TagForm.WORDS, "f, line 2: found 0 tags", "expected 1 "),
        (["OK", "OK bad"], [1, 2], TagForm.WORDS, "f, line 2: found tag 2 'bad'", "expected OK or BAD"),
        (["1"], [1], TagForm.WORDS, "f, line 1: found tag 1 '1'", "expected OK or BAD"),
        (["OK\u00a0BAD"], [2], TagForm.WORDS, "f, line 1: found 1 tags", "expected 2 "),
        (["OK\u2028"], [1], TagForm.WORDS, "f, line 1: found tag 1 'OK\\u2028'", "expected OK or BAD"),
    ],
)
def test_wrong_tags_are_refused(lines, counts, form, start, expected):
    with pytest.raises(DataError) as caught:
        check_tags(lines, counts, form, "f")
    assert str(caught.value).startswith(start)
    assert expected in str(caught.value)


def test_wrong_tags_name_their_side():
    with pytest.raises(DataError, match="2 source words"):
        check_tags(["OK"], [2], TagForm.WORDS, "f", side="source")


@pytest.mark.parametrize(
    ("line", "gaps", "target"),
    [("OK BAD BAD OK OK", "OK BAD OK", "BAD OK"), ("BAD OK OK", "BAD OK", "OK"), ("BAD", "BAD", "")],
)
def test_split_tags(line, gaps, target):
    assert split_tags(line) == (gaps, target)
    assert interleave(gaps.split(), target.split()) == line.split()


def test_interleave_takes_probabilities():
    assert interleave([0.1, 0.2, 0.3], [0.8, 0.9]) == [0.1, 0.8, 0.2, 0.9, 0.3]


@settings(database=None, deadline=None)
@given(
    st.integers(0, 12).flatmap(
        lambda n: st.lists(st.sampled_from(["OK", "BAD"]), min_size=2 * n + 1, max_size=2 * n + 1)
    )
)
def test_splitting_and_interleaving_are_inverse(tags):
    gaps, target = split_tags(" ".join(tags))
    assert len(gaps.split()) == len(target.split()) + 1
    assert interleave(gaps.split(), target.split()) == tags


def test_to_classes():
    classes = to_classes("OK BAD BAD OK")
    assert classes.dtype == np.int64
    assert classes.tolist() == [0, 1, 1, 0]
    assert to_classes("").shape == (0,)


def test_to_labels():
    assert to_labels([0.0, 0.49, 0.5, 0.51, 1.0]) == ["OK", "OK", "OK", "BAD", "BAD"]
