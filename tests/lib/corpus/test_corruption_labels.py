"""The labels of translations with errors."""

from __future__ import annotations

from random import Random

import pytest

from kiwi.data.labels.edits import edit_path, gap_tags, target_tags
from kiwi.lib.corpus.corruption.kinds import CORRUPTIONS, Material
from kiwi.lib.corpus.corruption.segments import Segment, label_segment
from kiwi.lib.corpus.corruption.units import Mark, Omission, Unit, omissions, render, split_units

SOURCE = "This is a house ."


def segment(target: str) -> Segment:
    return Segment(1, SOURCE, target, "", "de", split_units(SOURCE), split_units(target))


def test_labels() -> None:
    mark, missing = Mark("replace", "major"), Mark("drop", "minor")
    good = split_units("Das ist ein Haus .")
    units = [good[0], Unit("", mark=missing, missing=(good[1],)), good[2], Unit("Boot", " ", mark), good[4]]
    assert label_segment(segment("Das ist ein Haus ."), units, 2) == {
        "src": SOURCE,
        "mt": "Das ein Boot .",
        "pe": "Das ist ein Haus .",
        "tags": "OK OK BAD OK OK BAD OK OK OK",
        "hter": "0.400000",
        "error_spans": "3 8\t3 12\tminor major",
        "mqm": "6",
    }


@pytest.mark.parametrize(
    ("good", "left_out", "text", "tags"),
    [
        ("Er kam an. Wir gehen.", ["an"], "Er kam. Wir gehen.", "OK OK BAD BAD OK OK OK OK OK"),
        ("Er kam an. Wir gehen.", ["Wir"], "Er kam an. gehen.", "OK OK OK OK OK OK BAD OK OK"),
        ("Er kam an. Wir gehen.", ["Er", "kam"], "an. Wir gehen.", "BAD OK OK OK OK OK OK"),
        ("Er kam an. Wir gehen.", [".", "Wir", "gehen", "."], "Er kam an", "OK OK OK OK OK BAD BAD"),
        ("für $ 10.000 heute", ["10"], "für $.000 heute", "OK OK BAD BAD OK OK OK"),
        ("für $ 10.000 heute", ["000"], "für $ 10. heute", "OK OK OK OK OK BAD OK OK OK"),
        ("Hallo, sagte er", ["Hallo"], ", sagte er", "OK BAD OK OK OK OK OK"),
        ("er (nicht) kam", ["nicht"], "er () kam", "OK OK OK BAD OK OK OK"),
        ("ein kleiner Satz", ["Satz"], "ein kleiner", "OK OK OK OK BAD"),
        ("我们不去", ["不"], "我们去", "OK BAD OK"),
        ("我们 不 去", ["不"], "我们 去", "OK OK BAD OK OK"),
        ("10\u00a0000 Euro", ["000"], "10 Euro", "OK BAD OK OK OK"),
    ],
)
def test_a_word_that_lost_a_part_is_bad_as_in_its_post_edit(
    good: str, left_out: list[str], text: str, tags: str
) -> None:
    units = split_units(good)
    names = [unit.text for unit in units]
    start = next(place for place in range(len(names)) if names[place : place + len(left_out)] == left_out)
    end = start + len(left_out)
    marked = [*units[:start], Unit("", mark=Mark("drop", "major"), missing=tuple(units[start:end])), *units[end:]]
    check_tags(good, marked, text, tags)


@pytest.mark.parametrize(
    ("kind", "good", "text", "tags"),
    [
        ("add", "Er kam an. Ja", "Er kam an Die Tinte. Ja", "OK OK OK OK OK BAD OK BAD OK BAD OK OK OK"),
        ("add", "Er kam an. Ja", "Er kam Die Tinte an. Ja", "OK OK OK OK OK BAD OK BAD OK OK OK OK OK"),
        ("add", "Er kam an. Ja", "Er kam an. Ja Die Tinte", "OK OK OK OK OK OK OK OK OK BAD OK BAD OK"),
        ("add", "für 10.000 Euro", "für 10 Die Tinte.000 Euro", "OK OK OK BAD OK BAD OK BAD OK OK OK"),
        ("repeat", "Er kam an. Ja", "Er kam an an. Ja", "OK OK OK OK OK BAD OK OK OK OK OK"),
        ("repeat", "Er kam an. Ja", "Er kam kam an. Ja", "OK OK OK BAD OK OK OK OK OK OK OK"),
        ("repeat", "Er kam an. Ja", "Er Er kam an. Ja", "OK BAD OK OK OK OK OK OK OK OK OK"),
        ("repeat", "er (nicht so) kam", "er (nicht nicht so) kam", "OK OK OK OK OK BAD OK OK OK OK OK"),
        ("repeat", "er (nicht) kam", "er (nicht nicht) kam", "OK OK OK BAD OK BAD OK OK OK"),
        ("twice", "Er kam. Ja", "Er kam. Ja Er kam. Ja", "OK BAD OK BAD OK BAD OK OK OK OK OK OK OK"),
    ],
)
def test_words_that_were_put_into_another_one_leave_it_bad_as_in_its_post_edit(
    kind: str, good: str, text: str, tags: str
) -> None:
    mark = Mark(kind, "major")
    material = Material(source=[], others=[split_units("Die Tinte")], foreign=[], negations=(), separator=" ")
    for seed in range(200):  # until the error is at this place
        result = CORRUPTIONS[kind].corrupt(split_units(good), material, Random(seed), mark)
        if result is not None and render(result[0])[0] == text:
            break
    assert result is not None
    check_tags(good, result[0], text, tags)


def check_tags(good: str, marked: list[Unit], text: str, tags: str) -> None:
    cells = label_segment(segment(good), marked, 1)
    assert (cells["mt"], cells["tags"]) == (text, tags)
    path = edit_path(text.split(" "), good.split(" "))
    assert [tag == "BAD" for tag in tags.split()[1::2]] == [tag == "BAD" for tag in target_tags(path)]
    assert tags.split()[0::2].count("BAD") == gap_tags(path).count("BAD")


def test_words_that_are_added_beside_missing_ones_do_not_cut_the_word_before_them() -> None:
    er, kam, an, *rest = split_units("Er kam an.")
    hole = Unit("", mark=Mark("drop", "major"), missing=(an,))
    material = Material(source=[], others=[split_units("Tinte")], foreign=[], negations=(), separator=" ")
    texts = {}
    for seed in range(50):
        result = CORRUPTIONS["add"].corrupt([er, kam, hole, *rest], material, Random(seed), Mark("add", "major"))
        assert result is not None
        cells = label_segment(segment("Er kam an."), result[0], 2)
        texts[cells["mt"]] = cells["tags"].split()[1::2]
    assert texts["Er kam Tinte."] == ["OK", "OK", "BAD"]


def test_omissions_side_by_side_are_one() -> None:
    units = split_units("Er kam an. Wir gehen.")
    holes = [Unit("", mark=Mark("drop", "major"), missing=(unit,)) for unit in units[1:3]]
    assert omissions([units[0], *holes, *units[3:]]) == [Omission(2, False, True, 2)]


def test_good_translation_is_kept_as_it_is() -> None:
    cells = label_segment(segment(" Ja  gut "), split_units(" Ja  gut "), 0)
    assert cells["mt"] == " Ja  gut "
    assert cells["error_spans"] == "-1\t-1\tno-error"
    assert (cells["tags"], cells["hter"], cells["mqm"]) == ("OK OK OK OK OK", "0.000000", "0")
