"""Whether a translation has the numbers of its source, in the notations of many languages.

Numbers are compared by their values: 1,000.5 is 1.000,5 and 1 000,5, and digits may be those of any script. Dates,
times, and numbers that languages may write in words are given the benefit of the doubt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

SPACES = " \u00a0\u2009\u202f"
"""Spaces that group digits; the first one is that between words, too."""

SEPARATORS = ".,'\u2019\u066b\u066c\uff0c\uff0e"
"""Characters that separate thousands or decimals, in one language or another."""

NUMBER = re.compile(rf"(?<![^\s(\[/-])\.\d+|\d+(?:[{SEPARATORS}]\d+)*")
SPACED = re.compile(rf"\d{{1,3}}(?:(?:[{SPACES}]|, )\d{{3}})+(?:[{SEPARATORS}]\d+)?(?!\d)|{NUMBER.pattern}")

GAP = re.compile(rf"\d(?:[{SPACES}]|, )\d{{3}}(?!\d)")
DIGITS = re.compile(r"\d+")

GROUPED = re.compile(r"[1-9]\d{0,2}(?:,\d{2})*,\d{3}|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,3}(?:,\d{4})+")
"""Groups of digits, with a comma for each separator: as in Europe, in India, and in East Asia."""

SCALE = (
    rf"[{SPACES}-]?(?:"
    # Words of languages with spaces, most of them with endings.
    r"(?:(?:k|m|b|bn|mn|mln|mio|mrd|mld|mlrd|tsd|thousand|tausend|mille|mii|mie|mil|mila|duizend|tuhat|tuhande|tys|tis|тыс"
    r"|тис|млн|млрд|трлн|lakh|lac|crore|bin|ezer)\b"
    r"|(?:thousand|tausend|tuhand|tysi|tisíc|тысяч|тисяч|хиляд|hundert|hundred|cient|sute|sada|сот)\w*"
    r"|(?:million|milion|miljo|miljon|milhã|milhõ|millón|millon|миллион|мільйон|милион)\w*"
    r"|(?:milliard|miljard|miliard|миллиард|мільярд|милиард|billion|billón|bilion|biljon|трилли|trillion|trilion)\w*)"
    # Characters and words of other scripts, which may be attached to what follows.
    r"|[十百千万萬亿億兆십백천만억조]|ألف|آلاف|مليون|ملايين|مليار|हज़ार|हज़ार|हजार|लाख|करोड|करोड़|अरब|मिलियन|बिलियन|लाख"
    r"|සිය|දහස|දහ|ලක්ෂ|කෝටි|මිලියන|බිලියන|لاکھ|کروڑ|ہزار"
    r")"
)
"""A word that multiplies the number before it by a power of ten; compiled when a number is found."""

HAN_TEN = "十"
MONTH = re.compile(rf"[{SPACES}]?[月월]")
CENTURY = re.compile(r"\d\d00s\b")
AFTERNOON = re.compile(rf"[{SPACES}]?(?:[:.]\d\d)?[{SPACES}]?p\.?\s?m\b", re.IGNORECASE)
ROMAN = re.compile(r"\b[IVXLC]+(?![a-z])")
ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


@dataclass(frozen=True)
class _Number:
    values: frozenset[Fraction]
    """The values that it may have: 1.234 has two of them."""

    runs: tuple[str, ...]
    """Its digits, without the separators."""

    has_scale: bool = False
    """Whether a word behind it multiplies it by a power of ten."""

    def may_be_words(self, other: str) -> bool:
        """Return whether the number may be written in words in another text."""
        # One digit and zeros: forty, three thousand.
        return min(self.values) <= 20 or len("".join(self.runs).strip("0")) == 1 or (HAN_TEN in other and self.is_short)

    @property
    def is_short(self) -> bool:
        """Whether the number has at most two digits."""
        return len("".join(self.runs)) <= 2


def differ(source: str, target: str) -> bool:
    """Return whether a translation has other numbers than its source."""
    if DIGITS.findall(source) == DIGITS.findall(target):
        return False
    source, target = _with_plain_digits(source), _with_plain_digits(target)
    # Whether a space groups digits is not certain: "in 12 345 people".
    readings = [
        [pattern for pattern in (NUMBER, SPACED) if pattern is NUMBER or GAP.search(text)] for text in (source, target)
    ]
    return all(
        _differ(list(_numbers(source, first)), list(_numbers(target, second)), source, target)
        for first in readings[0]
        for second in readings[1]
    )


def _differ(ours: list[_Number], theirs: list[_Number], source: str, target: str) -> bool:
    all_values = [{value for each in side for value in each.values} for side in (ours, theirs)]
    for matches in (_are_equal, _are_equal_by_scale, _are_year_and_short_year):
        _remove_pairs(ours, theirs, matches)
    _remove_romans(ours, target)
    _remove_romans(theirs, source)
    _remove_parts(ours, theirs)
    _remove_parts(theirs, ours)
    if ours and theirs:
        return True
    # A number may be repeated, or written in words.
    return any(
        not (each.may_be_words(text) or each.values & others)
        for left, text, others in ((ours, target, all_values[1]), (theirs, source, all_values[0]))
        for each in left
    )


def _with_plain_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(character)) if not character.isascii() and character.isdecimal() else character
        for character in text
    )


@cache
def _scale() -> re.Pattern[str]:
    return re.compile(SCALE, re.IGNORECASE)


def _numbers(text: str, pattern: re.Pattern[str]) -> Iterator[_Number]:
    for match in pattern.finditer(text):
        runs = tuple(re.findall(r"\d+", match[0]))
        values = _values(("0", *runs) if match[0][0] == "." else runs)
        if len(match[0]) <= 2 and MONTH.match(text, match.end()):
            continue  # which other languages name
        has_scale = _scale().match(text, match.end()) is not None
        if values:
            if CENTURY.match(text, match.start()):
                values |= {Fraction(match[0][:2]), Fraction(match[0][:2]) + 1}
            if AFTERNOON.match(text, match.end()) and len(runs[0]) <= 2:
                values |= {value + 12 for value in values}
            yield _Number(frozenset(values), runs, has_scale)
        else:  # such as a date
            yield from (_Number(frozenset({Fraction(run)}), (run,)) for run in runs)


def _values(runs: tuple[str, ...]) -> set[Fraction]:
    """Return the values of digits between separators; empty if they are several numbers."""
    if len(runs) == 1:
        return {Fraction(runs[0])}
    is_grouped = GROUPED.fullmatch(",".join(runs)) is not None
    values = {Fraction("".join(runs))} if is_grouped else set()
    head = runs[:-1]
    if (len(head) == 1 or GROUPED.fullmatch(",".join(head))) and not (is_grouped and set(runs[-1]) == {"0"}):
        values.add(Fraction(f"{''.join(head)}.{runs[-1]}"))
    return values


def _remove_pairs(ours: list[_Number], theirs: list[_Number], matches: Callable[[_Number, _Number], bool]) -> None:
    for each in list(ours):
        other = next((other for other in theirs if matches(each, other)), None)
        if other is not None:
            ours.remove(each)
            theirs.remove(other)


def _are_equal(one: _Number, other: _Number) -> bool:
    return bool(one.values & other.values)


def _are_equal_by_scale(one: _Number, other: _Number) -> bool:
    """Return whether numbers differ by a power of ten that a word may tell: 1.5 million, 1,500,000 and 150万."""
    if not (one.has_scale or other.has_scale):
        return False
    for first in one.values - {0}:
        for second in other.values - {0}:
            ratio, is_told = (second / first, one.has_scale) if first < second else (first / second, other.has_scale)
            is_power = ratio.denominator == 1 and str(ratio).strip("0") == "1"
            if is_told and is_power and (ratio >= 100 or (one.has_scale and other.has_scale)):
                return True
    return False


def _are_year_and_short_year(one: _Number, other: _Number) -> bool:
    """Return whether one number has the last two of the other's four digits: the 1990s, die 90er."""
    short, long = sorted(("".join(one.runs), "".join(other.runs)), key=len)
    return len(short) == 2 and len(long) == 4 and long.endswith(short)


def _remove_romans(numbers: list[_Number], other: str) -> None:
    """Remove numbers that the other text has in Roman digits."""
    if not numbers:
        return
    romans = {Fraction(_roman_value(match[0])) for match in ROMAN.finditer(other)}
    numbers[:] = [each for each in numbers if not each.values & romans]


def _roman_value(text: str) -> int:
    digits = [ROMAN_DIGITS[letter] for letter in text]
    return sum(-digit if digit < max(digits[i:]) else digit for i, digit in enumerate(digits))


def _remove_parts(ours: list[_Number], theirs: list[_Number]) -> None:
    """Remove numbers whose parts are there one by one: 10.30 and 10:30 are the same time."""
    for each in [each for each in ours if len(each.runs) > 1]:
        parts = [_Number(frozenset({Fraction(run)}), (run,)) for run in each.runs]
        rest = list(theirs)
        _remove_pairs(parts, rest, _are_equal)
        if not parts:
            ours.remove(each)
            theirs[:] = rest
