"""The language pairs that intervals depend on, where ``kiwi score`` finds them."""

from __future__ import annotations

from typing import Any

import pytest

from kiwi.data.documents.parts import Languages, Segment
from kiwi.exceptions import ConfigError
from kiwi.lib.score.pairs import LanguagePairs
from kiwi.runner.engine import AboutSystem
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.manifest.intervals import CalibrationGroup, ScoreIntervals

GROUPS = {"all": CalibrationGroup(20, 0.1), "en-de": CalibrationGroup(9, 0.2)}
TEXTS = {"source": ["a", "b"], "target": ["c", "d"]}


def about(**groups: CalibrationGroup) -> AboutSystem:
    intervals = ScoreIntervals(0.9, groups) if groups else None
    return AboutSystem("NuQE", ("source", "target"), ("sentence_scores",), data=DataInfo(intervals=intervals))


@pytest.mark.parametrize(
    ("languages", "of_segments", "pairs"),
    [
        ((), [(None, None), (None, None)], None),
        ((), [("en-GB", "de-DE"), (None, None)], ["en-de", ""]),
        (("en", "ja"), [("en", "de"), (None, None)], ["en-de", "en-ja"]),
        (("en", "ja"), [(None, "de"), ("fr", None)], ["en-de", "fr-ja"]),
    ],
)
def test_languages_of_a_document(languages: Any, of_segments: list[Languages], pairs: list[str] | None) -> None:
    segments = [Segment({}, 1, languages=own) for own in of_segments]
    found = LanguagePairs.choose(about(**GROUPS), languages, ()).add(TEXTS, segments)
    assert found == (TEXTS if pairs is None else TEXTS | {"lp": pairs})


def test_languages_of_lines() -> None:
    found = LanguagePairs.choose(about(**GROUPS), ("en", "de"), ())
    assert found.fields == ("lp",)
    assert found.add(TEXTS) == TEXTS | {"lp": ["en-de"] * 2}
    given = TEXTS | {"lp": ["en-fr", "en-de"]}
    assert found.add(given) == given
    assert LanguagePairs.choose(about(**GROUPS), (), ()).add(TEXTS) == TEXTS


def test_systems_that_are_not_calibrated_by_pair() -> None:
    for system in (about(), about(all=GROUPS["all"])):
        found = LanguagePairs.choose(system, ("en", "de"), ())
        assert found.fields == ()
        assert found.add(TEXTS) == TEXTS
        with pytest.raises(ConfigError, match="--columns lp: found a column of language pairs, but this system"):
            LanguagePairs.choose(system, (), ("lp",))
