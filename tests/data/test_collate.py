import numpy as np
import pytest

from kiwi.data.batch import pad
from kiwi.data.collate import Collate
from kiwi.data.text.vocabulary import Vocabulary

SOURCE = Vocabulary.of(["a", "b", "c"])
TARGET = Vocabulary.of(["x", "y"])
ROWS = [
    {"source": "a b", "target": "y"},
    {"source": "c", "target": "x  ? \t y"},
]


def collate(rows, **vocabularies):
    return Collate({"source": SOURCE, "target": TARGET, **vocabularies})(rows)


def with_fields(**columns):
    return [row | {field: column[i] for field, column in columns.items()} for i, row in enumerate(ROWS)]


def test_words_become_indices_with_a_mask():
    batch = collate(ROWS)
    assert len(batch) == 2
    assert batch.source.tolist() == [[4, 5], [6, 0]]
    assert batch.source_mask.tolist() == [[True, True], [True, False]]
    assert batch.target.tolist() == [[5, 0, 0], [4, 1, 5]]
    assert batch.target_mask.tolist() == [[True, False, False], [True, True, True]]
    assert (batch.source.dtype, batch.source_mask.dtype) == (np.int64, np.bool_)
    assert list(batch.arrays()) == ["source_mask", "target_mask", "source", "target"]


def test_a_segment_without_words_has_an_empty_mask():
    batch = collate([{"source": "", "target": " "}, ROWS[0]])
    assert batch.source.tolist() == [[0, 0], [4, 5]]
    assert batch.source_mask.tolist() == [[False, False], [True, True]]
    assert batch.target_mask.tolist() == [[False], [True]]
    alone = collate([{"source": "", "target": ""}])
    assert alone.source.shape == alone.source_mask.shape == alone.target.shape == (1, 0)


def test_only_ascii_spaces_part_words():
    batch = collate([{"source": "a\u00a0b a\u2028b b", "target": "x"}])
    assert batch.source.tolist() == [[1, 1, 5]]


def test_alignments_are_triples_each_once():
    batch = collate(with_fields(alignments=["1-0 0-0 1-0", "0-2 0-0"]))
    assert batch.alignments.tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 0, 2]]
    assert batch.alignments.dtype == np.int64


def test_no_alignment_at_all_is_an_empty_array():
    batch = collate(with_fields(alignments=["", " "]))
    assert batch.alignments.shape == (0, 3)
    assert collate(ROWS).alignments is None


def test_tags_are_classes_padded_with_minus_one():
    columns = {
        "target_tags": ["BAD", "OK BAD OK"],
        "gap_tags": ["OK BAD", "BAD OK OK OK"],
        "source_tags": ["OK BAD", "BAD"],
    }
    batch = collate(with_fields(**columns))
    assert batch.target_tags.tolist() == [[1, -1, -1], [0, 1, 0]]
    assert batch.gap_tags.tolist() == [[0, 1, -1, -1], [1, 0, 0, 0]]
    assert batch.source_tags.tolist() == [[0, 1], [1, -1]]
    assert {batch.target_tags.dtype, batch.gap_tags.dtype, batch.source_tags.dtype} == {np.dtype(np.int64)}


def test_scores_are_single_precision():
    batch = collate(with_fields(sentence_scores=["0.25", "-1e-1"]))
    assert batch.sentence_scores.dtype == np.float32
    np.testing.assert_array_equal(batch.sentence_scores, np.float32([0.25, -0.1]))


def test_parts_of_speech_need_their_vocabulary():
    rows = with_fields(source_pos=["N V", "V"], target_pos=["N", "V N V"])
    pos = Vocabulary.of(["N", "V"])
    batch = collate(rows, source_pos=pos)
    assert batch.source_pos.tolist() == [[4, 5], [5, 0]]
    assert batch.target_pos is None
    assert collate(rows, target_pos=pos).target_pos.tolist() == [[4, 0, 0], [5, 4, 5]]


@pytest.mark.parametrize(
    ("rows", "fill", "expected"),
    [
        ([[1, 2], [3]], 0, [[1, 2], [3, 0]]),
        ([[], [3]], -1, [[-1], [3]]),
        ([[], []], 0, [[], []]),
    ],
)
def test_pad(rows, fill, expected):
    assert pad(rows, fill).tolist() == expected
    assert pad(rows, fill).dtype == np.int64
