import pytest

from kiwi.data.text.tokenization import MarkCounts, share_of_marks_alone


@pytest.mark.parametrize(
    ("line", "alone", "attached"),
    [
        ("Close the bank , please .", 2, 0),
        ("Close the bank, please.", 0, 2),
        ("3.5 costs 1,000 x ... etc... - ! ?", 0, 0),
        ("Mr. Smith went .", 1, 1),
        ("我们 去 了 。", 1, 0),
        ("我们，去了。", 0, 1),
        ("今日は、雨です。", 0, 1),
        ("", 0, 0),
    ],
)
def test_marks(line: str, alone: int, attached: int) -> None:
    assert MarkCounts.of([line]) == MarkCounts(alone, attached)


def test_share_of_a_sample() -> None:
    assert share_of_marks_alone(["a , b.", "c d"]) == 0.5
    assert share_of_marks_alone(["no mark"] * 3) is None
    assert share_of_marks_alone([]) is None
    assert share_of_marks_alone(["a .", "a."] * 20_000) == 1.0, "every eighth segment"
