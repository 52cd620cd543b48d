import pytest

from kiwi.data.labels.ragged import ragged_tags, read_tags


@pytest.mark.parametrize("rows", [[["OK", "BAD"], [], ["BAD"]], [[]], [["OK"]]])
def test_tags_that_are_read_already(tmp_path, rows):
    (tmp_path / "tags").write_text("".join(" ".join(row) + "\n" for row in rows))
    found, expected = ragged_tags(rows), read_tags(tmp_path / "tags")
    assert found.values.tolist() == expected.values.tolist()
    assert found.offsets.tolist() == expected.offsets.tolist()
    assert [found[index].tolist() for index in range(len(found))] == [
        [float(tag == "BAD") for tag in row] for row in rows
    ]
