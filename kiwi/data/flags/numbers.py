"""Whether a translation has the numbers of its source, in the notations of many languages.

Numbers are compared by their values: 1,000.5 is 1.000,5 and 1 000,5, and digits may be those of any script. Dates,
times, and numbers that languages may write in words are given the benefit of the doubt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import prod

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

POWERS = (
    (
        10**3,
        r"thousand|tausende?n?|duizend|tuhat|tuhande\w*|tuhand\w*|mii|тысяч\w*|тисяч\w*|tys(?:ięcy|iące?)|हज़ार|हज़ार|हजार|දහස",
    ),
    (10**5, r"lakhs?|lacs?|लाख|ලක්ෂ"),
    (
        10**6,
        r"million\w*|milion\w*|milioan\w*|miljo\w*|milhã\w*|milhõ\w*|millón|millones|миллион\w*|мільйон\w*|मिलियन|මිලියන",
    ),
    (10**7, r"crores?|करोड़?|करोड़|කෝටි"),
)
"""Words that mean one power of ten in all languages that have them."""

HAN_POWERS = {**dict.fromkeys("十십", 10), **dict.fromkeys("百백", 100), **dict.fromkeys("千천", 1000)}
HAN_MYRIADS = {**dict.fromkeys("万萬만", 10**4), **dict.fromkeys("亿億억", 10**8)}
HAN_SCALE = re.compile(rf"[{SPACES}]?[多余餘几여]?(?P<power>[十百千십백천]?[{''.join(HAN_MYRIADS)}]+)")
"""Characters that multiply the number before them by an exact power of ten, also after 多 (more than).

Without 万 or 亿, they may be units, such as 千克."""

SCALE_BEFORE = re.compile(rf"(?:සිය|දහස|ලක්ෂ|කෝටි|මිලියන|බිලියන)[{SPACES}]$")
"""A word that multiplies the number behind it, as in Sinhala."""

RANGE = re.compile(rf"[{SPACES}]?(?:[-\u2010-\u2014~\u301c\uff5e至到]|\w{{1,4}})[{SPACES}]?")
"""What stands between the ends of a range, of which only the second one may have a word for a power of ten."""

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
    """Whether a word behind it multiplies it by a power of ten, which may be one of several."""

    factor: int = 1
    """The power of ten in its values, which a word behind it tells."""

    def may_be_words(self, other: str) -> bool:
        """Return whether the number may be written in words in another text."""
        # One digit and zeros: forty, three thousand.
        return min(self.plain) <= 20 or len("".join(self.runs).strip("0")) == 1 or (HAN_TEN in other and self.is_short)

    @property
    def plain(self) -> frozenset[Fraction]:
        """The values without the power of ten."""
        return frozenset(value / self.factor for value in self.values)

    @property
    def is_short(self) -> bool:
        """Whether the number has at most two digits."""
        return len("".join(self.runs)) <= 2


def differ(source: str, target: str) -> bool:
    """Return whether a translation has other numbers than its source."""
    digits = DIGITS.findall(source)
    if digits == DIGITS.findall(target):
        return bool(digits) and _powers_differ(source, target)
    source, target = _with_plain_digits(source), _with_plain_digits(target)
    # Whether a space groups digits is not certain: "in 12 345 people".
    readings = [
        [pattern for pattern in (NUMBER, SPACED) if pattern is NUMBER or GAP.search(text)] for text in (source, target)
    ]
    return all(
        _differ(_numbers(source, first), _numbers(target, second), source, target)
        for first in readings[0]
        for second in readings[1]
    )


def _powers_differ(source: str, target: str) -> bool:
    """Return whether texts with the same digits have words of other powers of ten behind them."""
    ours, theirs = (
        sorted(each.factor for each in _numbers(text, NUMBER) if each.factor > 1) for text in (source, target)
    )
    return len(ours) == len(theirs) and ours != theirs


def _differ(ours: list[_Number], theirs: list[_Number], source: str, target: str) -> bool:
    all_values = [{value for each in side for value in each.values | each.plain} for side in (ours, theirs)]
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


def _numbers(text: str, pattern: re.Pattern[str]) -> list[_Number]:
    found: list[_Number] = []
    end = 0
    for match in pattern.finditer(text):
        runs = tuple(re.findall(r"\d+", match[0]))
        values = _values(("0", *runs) if match[0][0] == "." else runs)
        if len(match[0]) <= 2 and MONTH.match(text, match.end()):
            continue  # which other languages name
        between, last = text[end : match.start()], found[-1] if found else None
        factor, end = _power(text, match.end())
        if last is not None and last.factor % 10**4 == 0 and factor == 1 and between in ("", " "):
            factor, end = _small_power(text, end)
        if not values:  # such as a date
            found += [_Number(frozenset({Fraction(run)}), (run,)) for run in runs]
        elif last is not None and factor < last.factor and between in (("", " ") if factor > 1 else ("",)):
            found[-1] = _sum(last, values, runs, factor)
        elif factor > 1:
            if last is not None and last.factor == 1 and RANGE.fullmatch(between):
                found[-1] = replace(last, values=last.values | {value * factor for value in last.values})
            found.append(_Number(frozenset(value * factor for value in values), runs, factor=factor))
        else:
            if CENTURY.match(text, match.start()):
                values |= {Fraction(match[0][:2]), Fraction(match[0][:2]) + 1}
            if AFTERNOON.match(text, match.end()) and len(runs[0]) <= 2:
                values |= {value + 12 for value in values}
            has_scale = _scale().match(text, match.end()) or SCALE_BEFORE.search(
                text[max(0, match.start() - 12) : match.start()]
            )
            found.append(_Number(frozenset(values), runs, has_scale is not None))
    return found


def _power(text: str, place: int) -> tuple[int, int]:
    """Return the power of ten that the word at a place means, and the offset behind it; 1 if it may be several."""
    if (match := HAN_SCALE.match(text, place)) is not None:
        factors = [HAN_POWERS.get(each) or HAN_MYRIADS[each] for each in match["power"]]
        return prod(factors), match.end()
    for factor, pattern in _powers():
        if (match := pattern.match(text, place)) is not None and _scale().match(text, match.end()) is None:
            return factor, match.end()
    return 1, place


def _small_power(text: str, place: int) -> tuple[int, int]:
    """Return the power of ten of a character that ends a sum, as in 1万2千, and the offset behind it."""
    factor = HAN_POWERS.get(text[place : place + 1], 1)
    return factor, place + (factor > 1)


@cache
def _powers() -> list[tuple[int, re.Pattern[str]]]:
    return [(factor, re.compile(rf"[{SPACES}-]?(?:de )?(?:{words})(?!\w)", re.IGNORECASE)) for factor, words in POWERS]


def _sum(number: _Number, values: set[Fraction], runs: tuple[str, ...], factor: int) -> _Number:
    """Return the sum of a number and what follows it in smaller units: 3億5千万."""
    sums = frozenset(one + other * factor for one in number.values for other in values)
    return replace(number, values=sums, runs=(*number.runs, *runs))


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
    if one.values & other.values:
        return True
    # The word behind one of them is not known in all languages.
    return 1 in (one.factor, other.factor) and bool(one.plain & other.plain)


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
