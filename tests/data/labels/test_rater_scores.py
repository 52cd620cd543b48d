import re

import numpy as np
import pytest

from kiwi.data.labels.rater_scores import summarize_raters
from kiwi.exceptions import DataError


def test_mean_and_deviation_of_the_raters():
    lines = ["70 80 90", "55", "60\t60 ", "0.5 1e1 -3"]
    means, deviations = (list(map(float, column)) for column in summarize_raters(lines, "FILE"))
    assert means == pytest.approx([80, 55, 60, 2.5])
    assert deviations == pytest.approx([10, 0, 0, np.std([0.5, 10, -3], ddof=1)])


@pytest.mark.parametrize(
    ("line", "found"),
    [("", "no score"), (" \t", "no score"), ("70 high", "'high'"), ("nan 3", "'nan'"), ("1 inf", "'inf'")],
)
def test_lines_without_numbers(line, found):
    with pytest.raises(DataError, match=re.escape(f"FILE, line 2: found {found}; expected the score of each rater")):
        summarize_raters(["1 2", line], "FILE")
