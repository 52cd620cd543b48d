"""Translations with errors that are known by construction."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, strategies as st

from kiwi.data.labels.error_spans import ErrorSpan
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.corpus.corruption.kinds import CORRUPTIONS, Material
from kiwi.lib.corpus.corruption.options import CorruptOptions
from kiwi.lib.corpus.corruption.pipeline import corrupt_corpus
from kiwi.lib.corpus.corruption.segments import Segment, corrupt_segment, splitter_for
from kiwi.lib.corpus.corruption.units import Mark, Unit, render, split_units

SOURCE = "Anna has not sold the 12 old boats , yet ."
GOOD = "Anna hat die 12 alten Boote noch nicht verkauft ."
OTHERS = ["Peter kauft heute zwei neue Häuser .", "Morgen fährt Maria nach Rom ."]
FOREIGN = ["Anna n'a pas encore vendu les bateaux ."]


def material(separator: str = " ") -> Material:
    return Material(
        source=split_units(SOURCE),
        others=[split_units(text) for text in OTHERS],
        foreign=[split_units(text) for text in FOREIGN],
        negations={"nicht"},
        separator=separator,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Das kostet 3.5 Euro.", ["Das", "kostet", "3", ".", "5", "Euro", "."]),
        ("don't stop — e-mail me", ["don't", "stop", "—", "e-mail", "me"]),
        ("'quoted' -5", ["'", "quoted", "'", "-", "5"]),
        ("नहीं किया", ["नहीं", "किया"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("cafe\u0301's e\u0301-mail", ["cafe\u0301's", "e\u0301-mail"]),
        ("ශ්\u200dරී වි\u200dට", ["ශ්\u200dරී", "වි\u200dට"]),
        ("می\u200cخواهد خانه\u200c.", ["می\u200cخواهد", "خانه\u200c", "."]),
        ("我爱Tokyo塔", ["我", "爱", "Tokyo", "塔"]),
        ("  a  b ", ["a", "b"]),
        ("👩\u200d🚀 ok", ["👩\u200d🚀", "ok"]),
        ("", []),
    ],
)
def test_words_and_punctuation(text: str, expected: list[str]) -> None:
    assert [unit.text for unit in split_units(text)] == expected


def test_text_without_spaces_is_split_by_its_tokenizer() -> None:
    assert [unit.text for unit in split_units("我爱北京。", lambda _: ["我", "爱", "北京"])] == [
        "我",
        "爱",
        "北京",
        "。",
    ]
    # A tokenizer that changes the text is not used.
    assert [unit.text for unit in split_units("我爱", lambda _: ["我 ", "爱"])] == ["我", "爱"]
    chinese = splitter_for("zh-Hant")
    assert chinese is not None
    assert "北京" in [unit.text for unit in split_units("我来到北京", chinese)]
    assert splitter_for("de") is None


@given(st.text(max_size=40))
def test_units_are_the_text(text: str) -> None:
    units = split_units(text)
    assert all(unit.text and not unit.text.isspace() for unit in units)
    assert render(units)[0] == text.strip()


def test_spans_of_marks() -> None:
    one, two, three = Mark("swap", "minor"), Mark("drop", "major"), Mark("add", "critical")
    units = [
        Unit("a", mark=one),
        Unit("b", " ", one),
        Unit("", mark=two),
        Unit("c", "  "),
        Unit("d", "", three),
        Unit("", mark=Mark("drop", "minor")),
    ]
    assert render(units) == (
        "a b  cd",
        [ErrorSpan(0, 3, "minor"), ErrorSpan(3, 3, "major"), ErrorSpan(6, 7, "critical"), ErrorSpan(7, 7, "minor")],
    )
    assert render([Unit("", mark=two), Unit("c", " ")]) == ("c", [ErrorSpan(0, 0, "major")])


CASES = {
    # kind: (edits of the correction, a condition on the text)
    "drop": lambda text, n: len(text.split()) == 10 - n,
    "drop-negation": lambda text, n: text == GOOD.replace("nicht ", "") and n == 1,
    "repeat": lambda text, n: len(text.split()) == 10 + n and set(text.split()) == set(GOOD.split()),
    "swap": lambda text, n: sorted(text.split()) == sorted(GOOD.split()) and text != GOOD and n == 1,
    "replace": lambda text, n: sum(a != b for a, b in zip(text.split(), GOOD.split(), strict=True)) == n,
    "confuse": lambda text, n: text == GOOD.replace("verkauft", "kauft") and n == 1,
    "name": lambda text, n: text.replace("Maria", "Boote").replace("Rom", "Boote").replace("Häuser", "Boote") == GOOD,
    "number": lambda text, n: text.split()[3] != "12" and text.split()[3].isdecimal() and len(text) == len(GOOD),
    "leave": lambda text, n: len(set(text.split()) & set(SOURCE.split()) - {"Anna", "12", "."}) >= 1,
    "add": lambda text, n: len(text.split()) == 10 + n,
    "truncate": lambda text, n: GOOD.startswith(text) and len(text.split()) == 10 - n and 3 <= n <= 7,
    "twice": lambda text, n: text == f"{GOOD} {GOOD}" and n == 10,
    "untranslated": lambda text, n: text == SOURCE and n == 11,
    "unrelated": lambda text, n: text in OTHERS and n == 10,
    "foreign": lambda text, n: text in FOREIGN and n == 10,
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_kinds(kind: str) -> None:
    for seed in range(20):
        mark = Mark(kind, "major")
        result = CORRUPTIONS[kind].corrupt(split_units(GOOD), material(), Random(seed), mark)
        if result is None:
            assert kind in ("swap", "name")  # neighbours that are equal, or a name that is the same
            continue
        units, n_edits = result
        text, spans = render(units)
        assert CASES[kind](text, n_edits), text
        assert len(spans) >= 1
        assert "  " not in text
        for span in spans:
            assert 0 <= span.start <= span.end <= len(text)
            assert (span.start == span.end) == (kind in ("drop", "drop-negation", "truncate"))


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("text", ["", "Ja", "!", "不"])
def test_kinds_of_short_texts(kind: str, text: str) -> None:
    """A translation with no place for an error is left alone, and never becomes empty."""
    result = (
        CORRUPTIONS[kind].corrupt(split_units(text), material(""), Random(1), Mark(kind, "major")) if text else None
    )
    if result is not None:
        assert render(result[0])[0] not in ("", text)


@pytest.mark.parametrize(
    ("word", "others"),
    [
        ("Boote", {"Leute"}),  # not "heute", which has no capital
        ("alten", {"neuen", "kaufen"}),
        ("Bären", {"Alten"}),
        ("Bananas", {"Ananas"}),
        ("Ananas", set()),  # the same beginning is likely to be the same word
        ("eben", set()),  # too short to tell its form
        ("12345", set()),
        ("书店", {"他们", "喜欢"}),
        ("书", set()),
    ],
)
def test_confused_words_have_one_form(word: str, others: set[str]) -> None:
    text = "heute kaufen neuen Leute kleine Alten Ananas"
    own = [*split_units(text), *split_units("他们喜欢", lambda _: ["他们", "喜欢"])]
    given = Material(source=[], others=[own], foreign=[], negations=(), separator=" ")
    found = set()
    for seed in range(20):
        units = split_units(word, lambda text: [text])
        if (result := CORRUPTIONS["confuse"].corrupt(units, given, Random(seed), Mark("confuse", "major"))) is not None:
            found.add(result[0][0].text)
    assert found == others


def test_digits_of_other_scripts() -> None:
    for seed in range(20):
        result = CORRUPTIONS["number"].corrupt(
            split_units("साल १९९९"), material(), Random(seed), Mark("number", "major")
        )
        assert result is not None
        year = result[0][1].text
        assert year != "१९९९"
        assert len(year) == 4
        assert all("०" <= digit <= "९" for digit in year)


def segment(target: str = GOOD, number: int = 1) -> Segment:
    return Segment(number, SOURCE, target, "", "de", split_units(SOURCE), split_units(target))


def test_shares() -> None:
    options = CorruptOptions(clean=0.4, whole=0.5, most=2)
    found = [corrupt_segment(segment(number=n), material(), 0, options)[2] for n in range(2000)]
    errors = [kinds for kinds in found if kinds]
    assert len(errors) == pytest.approx(1200, abs=80)
    whole = [kinds for kinds in errors if CORRUPTIONS[kinds[0]].is_whole]
    assert len(whole) == pytest.approx(600, abs=60)
    assert all(len(kinds) == 1 for kinds in whole)
    assert {len(kinds) for kinds in errors} == {1, 2}
    assert {kind for kinds in errors for kind in kinds} == set(CORRUPTIONS)


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {
        "source": write(tmp_path / "src", SOURCE, "x", "I see Peter .", "We left ."),
        "target": write(tmp_path / "pe", GOOD, "\u00a0", "Ich sehe Peter .", "Nous sommes partis ."),
        "lp": write(tmp_path / "lp", "en-de", "en-de", "en-de", "en-fr"),
    }


def test_corpus(files: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = CorruptOptions(copies=60, clean=0.2)
    info = corrupt_corpus(tmp_path / "out", options, files=files)
    lines = {path.name: path.read_text().splitlines() for path in (tmp_path / "out").glob("train.*")}
    assert {name.removeprefix("train.") for name in lines} == {
        *("src", "mt", "pe", "tags", "hter", "error_spans", "mqm", "lp", "corruptions")
    }
    assert {len(column) for column in lines.values()} == {180}
    assert info.n_segments == 180
    assert info.n_empty == 1
    assert "Left out 1 of 4 segments: a side has no word" in caplog.text
    for kinds, mt, pe, tags in zip(
        *(lines[f"train.{name}"] for name in ("corruptions", "mt", "pe", "tags")), strict=True
    ):
        assert (kinds == "none") == (mt == pe) == ("BAD" not in tags)
        assert len(tags.split()) == 2 * len(mt.split()) + 1
    # Translations of French come from German segments.
    foreign = [
        mt
        for kinds, mt, lp in zip(*(lines[f"train.{n}"] for n in ("corruptions", "mt", "lp")), strict=True)
        if kinds == "foreign" and lp == "en-fr"
    ]
    assert foreign
    assert set(foreign) <= {GOOD, "Ich sehe Peter ."}
    record = json.loads((tmp_path / "out" / "corpus.json").read_text())
    assert record["counts"]["segments"] == 180
    assert record["counts"]["corruptions"] == dict(info.counts)
    again = corrupt_corpus(tmp_path / "again", options, files=files)
    assert {p.name: p.read_bytes() for p in again.path.glob("train.*")} == {
        p.name: p.read_bytes() for p in info.path.glob("train.*")
    }
    other = corrupt_corpus(tmp_path / "other", CorruptOptions(copies=60, clean=0.2, seed=2), files=files)
    assert (other.path / "train.mt").read_bytes() != (info.path / "train.mt").read_bytes()


def test_table(tmp_path: Path) -> None:
    table = write(tmp_path / "t.tsv", "en\tde", f"{SOURCE}\t{GOOD}", "Hello .\tHallo .")
    options = CorruptOptions(kinds=("drop",), clean=0, part="dev", source_language="en", target_language="de")
    info = corrupt_corpus(tmp_path / "out", options, table=table, columns={"source": "en", "target": "de"})
    assert info.rows() == [["none", "0", "0.0%"], ["drop", "1", "50.0%"]] or info.counts["drop"] == 1
    assert (info.path / "dev.mt").read_text().splitlines()[1] == "Hallo ."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (CorruptOptions(kinds=("dropp",)), "--kinds: 'dropp' is not a corruption; did you mean 'drop'"),
        (CorruptOptions(kinds=()), "--kinds: found none"),
        (CorruptOptions(kinds=("drop", "add", "drop")), "--kinds: found 'drop' more than once. Name each kind once."),
        (CorruptOptions(clean=1.5), "--clean: found 1.5; expected a share from 0 to 1"),
        (CorruptOptions(most=0), "--most: found 0; expected at least 1"),
        (CorruptOptions(source_language="en"), "--source-language: found 'en' beside --lp"),
    ],
)
def test_options(options: CorruptOptions, message: str, files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        corrupt_corpus(tmp_path / "out", options, files=files)
    assert not (tmp_path / "out").exists()


def test_bad_input(files: dict[str, Path], tmp_path: Path) -> None:
    write(files["lp"], "en-de", "en_de", "en-de", "en-fr")
    with pytest.raises(DataError, match="lp, line 2"):
        corrupt_corpus(tmp_path / "out", files=files)
    with pytest.raises(ConfigError, match="--target: not given"):
        corrupt_corpus(tmp_path / "out", files={"source": files["source"]})
    with pytest.raises(ConfigError, match="--kinds foreign needs translations into several languages"):
        corrupt_corpus(
            tmp_path / "out", CorruptOptions(kinds=("foreign",)), files={k: files[k] for k in ("source", "target")}
        )
    write(files["lp"], "en-de", "en-de", "fr-de", "en-de")
    with pytest.raises(DataError, match="lp: found translations into one language only; expected several in 10,000"):
        corrupt_corpus(tmp_path / "out", CorruptOptions(kinds=("foreign",)), files=files)
    with pytest.raises(DataError, match="found no segment with words on both sides"):
        corrupt_corpus(
            tmp_path / "out", files={"source": write(tmp_path / "a", ""), "target": write(tmp_path / "b", "")}
        )
    assert not (tmp_path / "out").exists()
