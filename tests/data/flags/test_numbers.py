"""Numbers in the notations of many languages."""

from __future__ import annotations

import pytest

from kiwi.data.flags import numbers
from kiwi.data.flags.numbers import differ


@pytest.mark.parametrize(
    ("source", "target"),
    [
        # Separators.
        ("1,000.5 km", "1.000,5 km"),
        ("1,000.5 km", "1 000,5 km"),
        ("1,000", "1\u202f000"),
        ("1000", "1'000"),
        ("1 234 567,89", "1,234,567.89"),
        ("12 345 people", "12,345 Leute"),
        ("in 2020 100 people", "2020 waren es 100 Menschen"),
        ("36 million", "3, 600 万"),
        ("1,2345,6789", "123456789"),
        ("$5.00", "5 $"),
        ("batting .205", "0,205"),
        # Digits.
        ("١٩٩٠", "1990"),
        ("٣٫٥", "3.5"),
        ("1٬000", "1000"),
        ("१२,३४,५६७", "1,234,567"),
        ("９０", "90"),
        # Dates and times.
        ("March 5, 2020", "05.03.2020"),
        ("5 December 2020", "2020年12月5日"),
        ("2020-03-05", "05/03/2020"),
        ("at 3 pm", "um 15:00 Uhr"),
        ("at 3:30 p.m.", "um 15.30 Uhr"),
        ("10:30", "10.30"),
        ("in the 1990s", "in den 90er Jahren"),
        ("1914-18", "1914–1918"),
        ("in the early 1900s", "Anfang des 20. Jahrhunderts"),
        # Ordinals, Roman digits, words.
        ("the 21st", "der 21."),
        ("19th century", "XIXe siècle"),
        ("Louis 14", "Louis XIV"),
        ("three cats", "3 Katzen"),
        ("20 people", "zwanzig Leute"),
        ("August 22", "八月二十二日"),
        # Powers of ten.
        ("1.5 million people", "1.500.000 Menschen"),
        ("150 million", "1.5亿"),
        ("25 lakh", "2.5 million"),
        ("5,000", "5k"),
        ("100,000 people", "10万人"),
        ("350 million yen", "3億5千万円"),
        ("123,450,000", "1億2345万"),
        ("120 million won", "1억 2천만 원"),
        ("12,000 yen", "1万2千円"),
        ("12,000 won", "1만 2천 원"),
        ("99,000", "9万9千"),
        ("5 thousand of 5 million", "5 Millionen von 5 Tausend"),
        ("more than 15 million", "1500多万"),
        ("103 million fans", "१० करोड ३० लाख फ्यान"),
        ("2.6 million", "මිලියන 2.6"),
        ("150 to 200 million books", "între 150 și 200 de milioane de cărți"),
        ("10-20 million", "1000万至2000万"),
        ("15 million", "fünfzehn Millionen"),
        ("5 million of 2,000", "5 triệu 2000"),
        ("3 kilograms of 5,000", "5000の3千克"),
        # Several numbers in one.
        ("version 1.2.3", "Version 1.2.3"),
        ("192.168.0.1", "192.168.0.1"),
        # Repeated ones.
        ("the 345th of 345", "der letzte von 345"),
    ],
)
def test_the_same_numbers(source: str, target: str) -> None:
    assert not differ(source, target)
    assert not differ(target, source)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("50 euros", "15 Euro"),
        ("1,000 euros", "100 Euro"),
        ("$1,000", "1 $"),
        ("10 cats", "100 Katzen"),
        ("5 million", "50 Personen"),
        ("in 1984", "damals"),
        ("5 kg", "5000 kg"),
        ("1.5", "15"),
        ("25.5", "25"),
        ("3.14", "3,41"),
        ("from 5 to 7", "von 5 bis 5"),
        ("2019", "2020"),
        ("1,234", "1,243"),
        ("12:45", "12:54"),
        ("365 days", "Tage"),
        ("١٩٩٠", "1991"),
        ("10,000 people", "10万人"),
        ("10 thousand people", "10万人"),
        ("2030万元", "203 million yuan"),
        ("५० लाख", "50 million"),
        ("25 thousand", "25 Millionen"),
        ("25 thousand in 2020", "25 Millionen im Jahr 2020"),
    ],
)
def test_other_numbers(source: str, target: str) -> None:
    assert differ(source, target)
    assert differ(target, source)


def test_many_numbers_take_linear_time() -> None:
    """Searches look at what is near a number, and not at all of the text before it."""

    seen: list[int] = []

    class Pattern:
        def search(self, text: str) -> None:
            seen.append(len(text))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbers, "SCALE_BEFORE", Pattern())
        differ("1 " * 500, "1 " * 500 + "7")
    assert max(seen) <= 12
