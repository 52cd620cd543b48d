"""kiwi-mini: the preparation of its data, and the model that is shipped."""

from __future__ import annotations

import csv
import gzip
import importlib
import math
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import kiwi
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.systems.exported import read_trained_info

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def prepare() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools" / "mini")
        yield importlib.import_module("prepare")


@pytest.fixture(scope="module")
def segments(prepare: ModuleType) -> ModuleType:
    return sys.modules["segments"]


@pytest.mark.parametrize(
    ("text", "tokens", "tags", "gaps", "expected"),
    [
        ("Das ist gut.", "Das ist gut .", "OK BAD OK OK", "", "OK BAD OK"),
        ("Das ist gut.", "Das ist gut .", "OK OK OK BAD", "OK OK OK OK OK", "OK OK OK OK OK BAD OK"),
        # What is missing before the full stop is missing after the last word.
        ("Das ist gut.", "Das ist gut .", "OK OK OK OK", "BAD OK OK BAD OK", "BAD OK OK OK OK OK BAD"),
        ("10 000 Euro", "10000 Euro", "BAD OK", "OK OK OK", "OK OK OK BAD OK OK OK"),
        ("10\u00a0000 Euro", "10 000 Euro", "BAD OK OK", "", "BAD OK"),
        ("Das ist", "Dies ist", "OK OK", "OK OK OK", ""),
    ],
)
def test_tags_of_tokens_become_tags_of_words(
    segments: ModuleType, text: str, tokens: str, tags: str, gaps: str, expected: str
) -> None:
    assert segments.word_tags(text, tokens.split(), tags.split(), gaps.split()) == expected


def test_penalties_become_standardized_scores(prepare: ModuleType, tmp_path: Path) -> None:
    rows = [
        "lp\tsystem\tdoc\tseg\trater\tsource\ttarget\tstarts\tends\tseverities",
        "en-de\tA\td\t1\tr1\ts\tt\t0\t1\tmajor",
        "en-de\tA\td\t1\tr2\ts\tt\t0\t1\tminor",
        "en-de\tB\td\t1\tr1\ts\tu\t-1\t-1\tno-error",
    ]
    with gzip.open(tmp_path / "a.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")
    (document, first), (_, second) = prepare.annotated(tmp_path / "a.tsv.gz")
    assert (document, first.score, second.score) == ("d", 3.0, 0.0)  # the mean of two raters
    prepare.standardize([first, second])
    assert (first.score, second.score) == (-1.0, 1.0)
    prepare.write(tmp_path / "out", "train", [first, second])
    assert (tmp_path / "out" / "train.da").read_text() == "-1.0000\n1.0000\n"
    assert (tmp_path / "out" / "train.spans.tsv").read_text().split("\n")[1:-1] == [
        "en-de\t0\t0\t0\t1\tmajor",
        "en-de\t0\t1\t0\t1\tminor",
        "en-de\t1\t0\t-1\t-1\tno-error",
    ]


@pytest.fixture
def prepared(prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is prepared from 100 assessments, "word 0" to "word 99", and one annotated translation, "t".

    The tokens of "word 0" are "wo", "rd" and "0".
    """
    monkeypatch.setattr("segments.PAIRS", ("en-de",))
    directory = tmp_path / "en-de"
    directory.mkdir()
    lines = [f"word {number}" for number in range(100)]
    tokens = [f"wo rd {number}" for number in range(100)]
    texts = {"raw.src": lines, "raw.mt": lines, "src": tokens, "mt": tokens, "da": ["0.5"] * 100}
    texts |= {"tags": ["OK OK OK BAD OK OK OK"] * 100, "source_tags": ["OK OK OK"] * 100}
    for part in ("train", "dev"):
        for name, content in texts.items():
            (directory / f"{part}.{name}").write_text("".join(f"{line}\n" for line in content))
    columns = "lp\tsystem\tdoc\tseg\trater\tsource\ttarget\tstarts\tends\tseverities\n"
    for name in (*prepare.ANNOTATED, "2022_en-de_dev", "2022_en-ru_dev", "bio_dev"):
        with gzip.open(tmp_path / f"{name}.tsv.gz", "wt", encoding="utf-8") as file:
            file.write(columns + "en-de\tA\td\t1\tr1\ts\tt\t0\t1\tmajor\n")
    out = tmp_path / "out"
    (out / "errors").mkdir(parents=True)
    for name in ("src", "mt", "lp", "mqm", "corruptions", "tags", "error_spans"):
        (out / "errors" / f"train.{name}").write_text("")
    arguments = ["prepare.py", str(tmp_path), str(tmp_path), str(out), "--errors", str(out / "errors")]
    monkeypatch.setattr(sys, "argv", arguments)
    prepare.main()
    return out


def test_what_calibrates_chose_no_thresholds(segments: ModuleType, prepared: Path) -> None:
    both, calibrating = (segments.read(prepared / name) for name in ("second/tags.mt", "calibration.mt"))
    chosen = [text for text in both if text.startswith("word")]
    assert sorted(chosen + calibrating) == sorted(f"word {number}" for number in range(100))
    assert 20 < len(chosen) < 40
    # Thresholds are chosen for raw and for tokenized text, of the same segments.
    assert both == [text for own in chosen for text in (own, own.replace("wo", "wo "))]
    tags = segments.read(prepared / "second" / "tags.tags")
    assert set(tags[0::2]) == {"OK BAD OK OK OK"}
    assert set(tags[1::2]) == {"OK OK OK BAD OK OK OK"}


def test_bad_translations_become_worse(segments: ModuleType, prepared: Path) -> None:
    systems = [prepared / name for name in ("sixth", "seventh-0", "seventh-1")]
    texts, scores = (
        [line for system in systems for line in segments.read(system / f"train.{name}")] for name in ("mt", "da")
    )
    found = {text: float(score) for text, score in zip(texts, scores, strict=True) if float(score) < 0}
    assert found
    assert all(score == (-2.4 if text == "word" else -2.6) for text, score in found.items())
    assert all(text == "word" or len(text.split()) == 4 for text in found)
    bad = [segments.Segment("s", f"one two three {number:02}", "en-de", -3.0) for number in range(20)]
    worse = list(segments.spoiled(bad, 1.0))
    assert {own.score for own in worse} == {-4.0}
    assert {len(own.target.split()) for own in worse} == {3, 8}
    lowest = segments.Segment("s", "t", "en-de", -9.0)
    assert [own.score for own in segments.spoiled([lowest], 1.0)] == [segments.LOWEST_SPOILED]


@pytest.mark.parametrize(
    ("systems", "n_assessed"),
    [
        (("fourth-0", "fourth-1"), range(100, 101)),
        (("fifth-0", "fifth-1"), range(65, 95)),
        (("sixth", "seventh-0", "seventh-1"), range(125, 165)),
    ],
)
def test_systems_share_the_segments_of_a_stage(
    segments: ModuleType, prepared: Path, systems: tuple[str, ...], n_assessed: range
) -> None:
    own = [set(segments.read(prepared / system / "train.mt")) - {"t", "word"} for system in systems]
    assert sum(map(len, own)) == len(set.union(*own))
    assert len(set.union(*own)) in n_assessed
    assert min(map(len, own)) > 25


def test_a_system_for_comparison_does_not_know_a_pair(
    prepare: ModuleType, segments: ModuleType, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, out = prepared.parent, prepared.parent / "first"
    shutil.copytree(directory / "en-de", directory / "et-en")
    monkeypatch.setattr("segments.PAIRS", ("en-de", "et-en"))
    monkeypatch.setattr(sys, "argv", ["prepare.py", str(directory), str(directory), str(out)])
    prepare.main()
    assert {*segments.read(out / "first" / "train.lp")} == {"en-de", "et-en"}
    for part in ("train", "dev"):
        known, others = (segments.read(out / name / f"{part}.lp") for name in ("first", "others"))
        assert others == [lp for lp in known if lp != "et-en"]
        assert others


# The model that is shipped.

MODEL = ROOT / "models" / "mini"
SYSTEM = MODEL / "kiwi_qe_mini" / "system"


@pytest.fixture(scope="module")
def mini() -> kiwi.Runner:
    return kiwi.load_system(SYSTEM, threads=1)


def test_the_package_is_small_and_whole(mini: kiwi.Runner) -> None:
    files = [*MODEL.glob("*.*"), *SYSTEM.parent.rglob("*")]  # pip leaves a folder beside them
    assert sum(file.stat().st_size for file in files if file.is_file()) <= 48_000_000
    about = inspect_checkpoint(SYSTEM).to_dict()
    assert about["int4_embeddings"]
    assert set(mini.about.outputs) >= {"sentence_scores", "target_tags", "gap_tags", "source_tags", "error_spans"}
    assert mini.about.data.score is not None
    assert mini.about.data.score.higher_is_better
    assert "MIT" in (SYSTEM / "licences" / "NOTICE").read_text(encoding="utf-8")
    assert read_trained_info(SYSTEM).outputs == list(mini.about.outputs)  # it can be trained further


def test_wrong_translations_score_below_right_ones(mini: kiwi.Runner) -> None:
    with (ROOT / "examples" / "first.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = mini.predict([row["source"] for row in rows], [row["target"] for row in rows])
    assert found.sentence_scores is not None
    pairs = zip(found.sentence_scores[0::2], found.sentence_scores[1::2], strict=True)
    differences = [one - other for one, other in pairs]
    # A negation is lost on it; a source that was copied is not.
    assert sum(difference > 0 for difference in differences) >= 3
    assert differences[2] > 1
    assert found.mqm_score is not None
    assert sum(found.mqm_score[1::2]) > sum(found.mqm_score[0::2])


def test_thresholds_of_language_pairs_do_not_change_combined_scores(mini: kiwi.Runner) -> None:
    texts = ["The meeting was moved to Friday."], ["Das Treffen wurde auf Montag verschoben."]
    without, known = mini.predict(*texts), mini.predict(*texts, language_pairs=["en-de"])
    assert known.target_tags_BAD_probabilities != without.target_tags_BAD_probabilities
    assert known.combined_score == without.combined_score


def test_scripts_that_it_has_not_learned_have_scores(mini: kiwi.Runner) -> None:
    targets = ["บ้านหลังนี้สวยมาก", "이 집은 아름답습니다.", "ቤቱ ቆንጆ ነው።", "بيت جميل جدا", "🏠👍🏽"]
    scores = mini.predict(["This house is very beautiful."] * len(targets), targets).sentence_scores
    assert scores is not None
    assert len(set(scores)) == len(targets)
    assert all(map(math.isfinite, scores))


def test_paragraphs_that_lack_a_part(segments: ModuleType) -> None:
    """Of every paragraph, what is missing or untranslated is what its tags and its score say."""
    parts = [
        segments.Segment(f"s{number} s", f"t{number} t", "en-de", 1.0, "OK OK OK OK OK", "OK OK")
        for number in range(600)
    ]
    found = list(segments.joined(parts, harsher=1.0))
    kinds = {"whole": 0, "missing": 0, "untranslated": 0}
    for paragraph in found:
        source = paragraph.source.split()[::2]
        left = {word[1:] for word in paragraph.target.split()[::2] if word.startswith("t")}
        lost = [word for word in source if word[1:] not in left]
        copied = [word for word in paragraph.target.split() if word in lost]
        kind = "whole" if not lost else "untranslated" if copied else "missing"
        kinds[kind] += 1
        assert 2 <= len(source) <= 6
        share = sum(len(f"{word} s") for word in lost) / sum(len(f"{word} s") for word in source)
        expected = 1.0 if not lost else 1.0 - 0.6 - 2.5 * share - (share >= 0.5)
        assert paragraph.score == pytest.approx(expected)
        assert paragraph.source_tags.split() == [
            tag for word in source for tag in ["BAD" if word in lost else "OK"] * 2
        ]
        words, tags = paragraph.target.split(), paragraph.target_tags.split()
        assert len(tags) == 2 * len(words) + 1
        assert tags[1::2].count("BAD") == 2 * len(copied)
        assert tags[0::2].count("BAD") == (kind == "missing")
        if kind == "missing":
            # The gap is between the last segment before and the first one behind.
            assert tags[2 * sum(2 for word in source[: source.index(lost[0])] if word not in lost)] == "BAD"
    assert min(kinds.values()) > 20
    assert kinds["whole"] > kinds["untranslated"]


def test_figures_of_single_errors(
    prepare: ModuleType, mini: kiwi.Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of good translations alone, the shares that score lower with one error, where enough have a place for it."""
    figures = importlib.import_module("figures")
    monkeypatch.setattr(figures, "PAIRS", ("en-de",))
    monkeypatch.setattr(figures, "FEWEST_ERRORS", 2)
    rows = [
        ("The old house has two doors.", "Das alte Haus hat zwei Türen.", 1.0),
        ("The young dog sees three cats.", "Der junge Hund sieht drei Katzen.", 0.9),
        ("The red car has 4 wheels.", "Das rote Auto hat 4 Räder.", 0.8),
        ("This one is bad.", "Schlecht 1 2 3.", 0.0),
    ]
    (tmp_path / "en-de").mkdir()
    for name, cells in zip(("raw.src", "raw.mt", "da"), zip(*rows, strict=True), strict=True):
        (tmp_path / "en-de" / f"dev.{name}").write_text("".join(f"{cell}\n" for cell in cells))
    found = figures.of_single_errors(mini, tmp_path, 10)["en-de"]
    assert {"drop", "swap", "add", "leave", "confuse", "name"} == {*found}  # one number and no negation are too few
    assert set(found.values()) <= {0.0, 1 / 3, 0.5, 2 / 3, 1.0}
    assert found["drop"] > 0
    assert found == figures.of_single_errors(mini, tmp_path, 10)["en-de"]
