"""Cells of tables, and the names of their columns."""

from __future__ import annotations

from kiwi.data.files.cells import plain_names


def test_names_of_scores_are_read_without_what_they_say_of_their_meaning() -> None:
    names = ["source", "sentence_scores (hter, lower is better)", "mqm_score (mqm, lower is better)", "note (mine)"]
    assert plain_names([*names, "combined_score (0-100, higher is better)"], ["mqm_score"]) == [
        "source",
        "sentence_scores",
        "mqm_score",
        "note (mine)",
        "combined_score",
    ]
    assert plain_names(names, names[1:2])[1] == names[1]
