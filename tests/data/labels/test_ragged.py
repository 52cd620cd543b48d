import gzip

import pytest

from kiwi.data.labels.ragged import ragged_tags, read_probabilities, read_tags
from kiwi.exceptions import DataError


@pytest.mark.parametrize("rows", [[["OK", "BAD"], [], ["BAD"]], [[]], [["OK"]]])
def test_tags_that_are_read_already(tmp_path, rows):
    (tmp_path / "tags").write_text("".join(" ".join(row) + "\n" for row in rows))
    found, expected = ragged_tags(rows), read_tags(tmp_path / "tags")
    assert found.values.tolist() == expected.values.tolist()
    assert found.offsets.tolist() == expected.offsets.tolist()
    assert [found[index].tolist() for index in range(len(found))] == [
        [float(tag == "BAD") for tag in row] for row in rows
    ]


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        ("0.1 0.9\n0.2 1e-", 2, "'1e-'"),
        ("0.1 0.9\n0-0 1-1\n", 2, "'0-0'"),
        ("0.1+0.2\n- 0.3 0.4\n", 1, "'0.1+0.2'"),
        ("0.1.2 0.3\n.\n", 1, "'0.1.2'"),
        ("0.5\n0.1 nan\n", 2, "0.1 nan"),
        ("0.5\n0_1\n", 2, "'0_1'"),
        ("0.5\nOK 1.5\n", 2, "OK 1.5"),
        ("0.5\n0.1\0\n", 2, "a NUL byte"),
    ],
)
def test_probabilities_that_are_refused(tmp_path, content, line, found):
    (tmp_path / "probabilities").write_text(content)
    with pytest.raises(DataError) as caught:
        read_probabilities(tmp_path / "probabilities")
    assert f"line {line}: found {found}" in str(caught.value)


def test_compressed_labels(tmp_path):
    (tmp_path / "labels").write_bytes(gzip.compress(b"\xef\xbb\xbfOK BAD\r\nBAD\n"))
    assert read_tags(tmp_path / "labels").values.tolist() == [0.0, 1.0, 1.0]
    assert read_probabilities(tmp_path / "labels").values.tolist() == [0.0, 1.0, 1.0]
