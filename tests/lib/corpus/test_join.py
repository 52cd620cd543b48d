"""``kiwi corpus join``, from several corpora to the evaluation of each language pair."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiwi.cli import app, run
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.corpus import CorpusOptions, Input, make_corpus
from kiwi.lib.corpus.joining import JoinInfo, join_corpora
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.predict import predict_from_configuration
from kiwi.lib.train import train_from_configuration
from kiwi.lib.utils import load_configuration
from kiwi.metrics.functions import pearson

WORDS = {"en": ["a", "red", "old", "house", "stands", "here"], "de": ["ein", "rotes", "altes", "Haus", "steht", "hier"]}
WORDS["et"] = ["see", "punane", "vana", "maja", "seisab", "siin"]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def make(place: Path, source: str, target: str, n_segments: int, **options: Any) -> Path:
    """A corpus of made-up segments, whose source and target name their number."""
    folder = place / f"input-{source}-{target}"
    folder.mkdir()
    random = np.random.default_rng(n_segments)
    columns: dict[str, list[str]] = {name: [] for name in ("source", "target", "post_edit", "alignments")}
    for number in range(n_segments):
        places = random.permutation(6)[: 3 + number % 4].tolist()
        words = [WORDS[target][p] for p in places]
        edited = ["neu" if random.random() < 0.3 else word for word in words]
        columns["source"].append(" ".join([*(WORDS[source][p] for p in places), f"{source}{number}"]))
        columns["target"].append(" ".join([*words, f"{target}{number}"]))
        columns["post_edit"].append(" ".join([*edited, f"{target}{number}"]))
        columns["alignments"].append(" ".join(f"{p}-{p}" for p in range(len(places) + 1)))
    columns["post_edit_alignments"] = columns["alignments"]
    columns["ids"] = [f"{source}.{number}" for number in range(n_segments)]
    given = Input({name: write(folder / name, cells) for name, cells in columns.items()})
    settings = {"source_language": source, "target_language": target, "tokenizer": ("none", "none"), "processes": 1}
    output = place / f"{source}-{target}"
    make_corpus(output, given, CorpusOptions(**{**settings, "dev": 6, "test": 5, **options}))
    return output


Join = Callable[..., JoinInfo]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora, not to be changed."""
    place = tmp_path_factory.mktemp("corpora")
    make(place, "en", "de", 40)
    make(place, "et", "en", 24)
    return place


def copied(made: Path, place: Path) -> list[Path]:
    for name in ("en-de", "et-en"):
        shutil.copytree(made / name, place / name)
    return [place / "en-de", place / "et-en"]


def join(place: Path, *directories: Path | tuple[Path, str], **options: Any) -> JoinInfo:
    chosen = [each if isinstance(each, tuple) else (each, None) for each in directories]
    return join_corpora(place / "all", chosen, **options)


def test_the_files_of_a_joined_corpus(made: Path, tmp_path: Path) -> None:
    info = join(tmp_path, made / "en-de", made / "et-en")
    place = tmp_path / "all"
    assert {path.name.partition(".")[2] for path in place.glob("train.*")} == {
        *("src", "mt", "pe", "tags", "source_tags", "hter", "src-mt.alignments", "ids", "lp")
    }
    for part, counts in {"train": (29, 13), "dev": (6, 6), "test": (5, 5)}.items():
        assert lines(place / f"{part}.lp") == ["en-de"] * counts[0] + ["et-en"] * counts[1]
        for file in place.glob(f"{part}.*"):
            if file.suffix != ".lp":
                both = [lines(made / pair / file.name) for pair in ("en-de", "et-en")]
                assert lines(file) == [*both[0], *both[1]], file.name
    content = json.loads((place / "corpus.json").read_text(encoding="utf-8"))
    assert content["language_pairs"] == ["en-de", "et-en"]
    assert content["counts"]["parts"]["train"]["segments"] == 42
    assert content["counts"]["pairs"]["et-en"]["dev"]["segments"] == 6
    of_one = json.loads((made / "en-de" / "corpus.json").read_text(encoding="utf-8"))["counts"]["parts"]["train"]
    assert content["counts"]["pairs"]["en-de"]["train"] == of_one | {"mean_hter": pytest.approx(of_one["mean_hter"])}
    assert {path.name for path in place.iterdir()} == {*content["sha256"], "corpus.json"}
    for name, digest in content["sha256"].items():
        assert hashlib.sha256((place / name).read_bytes()).hexdigest() == digest
    assert info.rows()[1][:3] == ["train", "et-en", "13"]
    page = (place / "report.html").read_text(encoding="utf-8")
    assert "train en-de" in page
    assert "test et-en" in page
    assert "<ins>neu</ins>" in page.partition("The most frequent substitutions")[2]
    worst = page.partition("The segments with the highest HTER")[2]
    found = re.search(r"<span>(et-en|en-de), (train|dev|test), line (\d+)</span>", worst)
    assert found is not None
    number = lines(made / found[1] / f"{found[2]}.hter")[int(found[3]) - 1]
    assert f"HTER {float(number):.3f}" in worst
    with pytest.raises(ConfigError, match="all has a language pair for each segment"):
        join(tmp_path / "other", (place, "en-de"), made / "et-en")
    again = tmp_path / "more"
    again.mkdir()
    make(again, "en", "et", 24)
    join(again, place, again / "en-et")
    assert lines(again / "all" / "dev.lp") == ["en-de"] * 6 + ["et-en"] * 6 + ["en-et"] * 6


def test_from_join_to_evaluation(made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    place = tmp_path / "all"
    arguments = ["corpus", "join", str(place), str(made / "en-de"), str(made / "et-en")]
    assert run(lambda: app(arguments, standalone_mode=False)) == 0
    overrides = [f"run.output_dir={tmp_path / 'run'}", "trainer.epochs=1", "data.pair_temperature=5"]
    info = train_from_configuration(load_configuration(place / "config.yaml", overrides))
    best = info.best_metrics
    assert best["val_PEARSON"] == pytest.approx((best["val_en-de_PEARSON"] + best["val_et-en_PEARSON"]) / 2, abs=1e-5)
    inputs = {"source": "src", "target": "mt", "alignments": "src-mt.alignments", "lp": "lp"}
    labels = {"target_tags": "tags", "source_tags": "source_tags", "sentence_scores": "hter"}
    options: dict[str, Any] = {
        "run": {"output_dir": str(tmp_path / "predictions"), "output_format": "jsonl", "chunk_size": 4},
        "data": {
            "test": {
                "input": {name: str(place / f"test.{suffix}") for name, suffix in inputs.items()},
                "output": {name: str(place / f"test.{suffix}") for name, suffix in labels.items()},
            }
        },
        "system": {"load": str(tmp_path / "run" / "best_model")},
        "submission": {"format": "wmt21", "method": "kiwi"},
    }
    caplog.clear()
    found = predict_from_configuration(options)
    assert "mean sentence_scores of 10 against data.test.output" in caplog.text
    assert "trained on" not in caplog.text
    assert lines(tmp_path / "predictions" / "lp") == lines(place / "test.lp")
    rows = [json.loads(line) for line in lines(tmp_path / "predictions" / "predictions.jsonl")]
    assert [row["lp"] for row in rows] == lines(place / "test.lp")
    submitted = [line.split("\t") for line in lines(tmp_path / "predictions" / "sentence_submission.tsv")[2:]]
    assert [cells[:3] for cells in submitted] == [
        [pair, "kiwi", str(number)] for pair in ("en-de", "et-en") for number in range(5)
    ]

    # The pairs are those beside the predictions, or those of a file.
    gold = {name: str(place / f"test.{suffix}") for name, suffix in labels.items()}
    files: dict[str, Any] = {"gold_files": gold, "predicted_dir": [str(tmp_path / "predictions")], "bootstrap": 0}
    page = tmp_path / "page.html"
    report = evaluate_from_configuration({**files, "output": {"report": str(page)}})
    assert found.sentences_hter is not None
    scores, predicted = np.array(lines(place / "test.hter"), dtype=float), np.array(found.sentences_hter)
    expected = [pearson(scores[own], np.round(predicted[own], 6)) for own in (slice(5), slice(5, 10))]
    assert report.metric("en-de sentence_scores", "PEARSON") == pytest.approx(expected[0])
    assert report.metric("et-en sentence_scores", "PEARSON") == pytest.approx(expected[1])
    assert report.metric("mean sentence_scores", "PEARSON") == pytest.approx(sum(expected) / 2)
    assert report.metric("mean WMT19", "MCC") == pytest.approx(
        (report.metric("en-de WMT19", "MCC") + report.metric("et-en WMT19", "MCC")) / 2
    )
    text = page.read_text(encoding="utf-8")
    assert 0 < text.index("mean Sentence scores") < text.index("en-de Sentence scores")
    gold["lp"] = str(place / "test.lp")
    assert evaluate_from_configuration(files) == report
    gold["lp"] = str(write(tmp_path / "lp", ["en-de"] * 10))
    with pytest.raises(DataError, match=r"predictions/lp, line 6: found 'et-en'; expected 'en-de', as .*/lp has"):
        evaluate_from_configuration(files)

    caplog.clear()
    options["data"]["test"]["input"]["lp"] = str(write(tmp_path / "lp", ["en-de"] * 8 + ["ru-en"] * 2))
    predict_from_configuration(options)
    assert "data.test.input.lp has ru-en, but " in caplog.text
    assert "was trained on en-de, et-en" in caplog.text


def test_texts_in_dev_and_test_of_another_corpus_are_left_out(made: Path, tmp_path: Path) -> None:
    corpora = copied(made, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    for file in corpora[0].glob("*.*"):
        if file.name.startswith("train."):
            # Its first two segments of test, and the source of its third one of dev, are training segments elsewhere.
            content = lines(corpora[0] / file.name.replace("train", "test"))[:2] + lines(file)[:3]
            content[2] = lines(corpora[0] / "dev.src")[2].upper() if file.suffix == ".src" else content[2]
            if file.suffix == ".src":
                n_words = len(content[2].split())
            write(other / file.name, content)
    for name, unit in (("source_tags", "OK"), ("src-mt.alignments", "")):
        content = lines(other / f"train.{name}")
        content[2] = " ".join([unit] * n_words) if unit else ""
        write(other / f"train.{name}", content)
    info = join(tmp_path, corpora[0], (other, "en-de"))
    assert info.joined.dropped["leak"] == 3
    dropped = [line.split("\t") for line in lines(tmp_path / "all" / "dropped.tsv")]
    assert [row[:3] for row in dropped[1:]] == [[str(other), str(number), "leak"] for number in (1, 2, 3)]
    assert lines(tmp_path / "all" / "train.src")[-2:] == lines(other / "train.src")[-2:]
    shutil.rmtree(tmp_path / "all")
    kept = join(tmp_path, corpora[0], (other, "en-de"), keep_leaks=True)
    assert kept.joined.parts["train", "en-de"].n_segments == 34
    # In another language, the same text is not the same source.
    shutil.rmtree(tmp_path / "all")
    assert join(tmp_path, corpora[0], (other, "et-lv")).joined.dropped["leak"] == 0


def damage_sum(place: Path) -> None:
    (place / "en-de" / "train.hter").write_text("0.5\n" * 29, encoding="utf-8")


def remove_languages(place: Path) -> None:
    record = place / "et-en" / "corpus.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps(content | {"source_language": None}), encoding="utf-8")


def as_plain(change: Callable[[Path], None]) -> Callable[[Path], None]:
    def changed(place: Path) -> None:
        (place / "en-de" / "corpus.json").unlink()
        change(place / "en-de")

    return changed


@pytest.mark.parametrize(
    ("change", "kind", "expected"),
    [
        (damage_sum, DataError, "en-de/train.hter: found the SHA-256"),
        (lambda place: (place / "et-en" / "dev.mt").unlink(), DataError, "et-en/dev.mt: found no such file; expected"),
        (remove_languages, ConfigError, "et-en/corpus.json: found no languages of source and target; expected both."),
        (lambda place: shutil.rmtree(place / "et-en"), ConfigError, "et-en: found nothing there; expected a directory"),
        (
            lambda place: (place / "et-en" / "corpus.json").write_text('{"format": 9, "sha256": {}}'),
            DataError,
            "corpus.json: found format 9; expected 1",
        ),
        (as_plain(lambda place: None), None, ""),
        (
            as_plain(lambda place: (place / "train.ids").unlink()),
            DataError,
            "en-de/train.ids: found no such file; expected it, as there is",
        ),
        (
            as_plain(lambda place: write(place / "dev.lines", ["x"] * 6) and None),
            DataError,
            "--common-only leaves out what not all corpora have: lines.",
        ),
        (
            as_plain(lambda place: write(place / "dev.hter", ["0"] * 5 + ["many"]) and None),
            DataError,
            "dev.hter, line 6: found 'many'; expected a finite number",
        ),
        (
            as_plain(lambda place: write(place / "dev.pe", ["x"] * 5) and None),
            DataError,
            "Files of different length",
        ),
        (
            as_plain(lambda place: write(place / "dev.src-mt.alignments", ["0-9"] * 6) and None),
            DataError,
            "dev.src-mt.alignments, line 1: found target index 9",
        ),
        (
            as_plain(lambda place: (place / "test.tags").unlink()),
            DataError,
            "en-de/test.tags: found no such file; expected one line per segment",
        ),
        (
            as_plain(
                lambda place: (
                    [
                        write(path, [" ".join(line.split()[1::2]) for line in lines(path)])
                        for path in place.glob("*.tags")
                    ]
                    and None
                )
            ),
            DataError,
            "et-en/dev.tags, line 1: found tags in the form 'interleaved'; expected the form 'words' of",
        ),
    ],
)
def test_what_is_checked(
    change: Callable[[Path], None], kind: type[Exception] | None, expected: str, made: Path, tmp_path: Path
) -> None:
    german, estonian = copied(made, tmp_path)
    change(tmp_path)
    first = german if (german / "corpus.json").exists() else (german, "en-de")
    if kind is None:
        join(tmp_path, first, estonian)
        return
    with pytest.raises(kind) as raised:
        join(tmp_path, first, estonian)
    assert expected in str(raised.value)
    assert not (tmp_path / "all").exists()


def test_source_tags_of_different_rules_are_not_mixed(made: Path, tmp_path: Path) -> None:
    other = make(tmp_path, "en", "et", 24, source_tags="missing-only")
    with pytest.raises(
        DataError, match="en-et: found source tags of the rule 'missing-only'; expected the rule 'normal'"
    ):
        join(tmp_path, made / "en-de", other)
    assert not (tmp_path / "all").exists()
    # Neither where one of them is itself joined.
    joined = join(tmp_path, made / "en-de", made / "et-en").path
    content = json.loads((joined / "corpus.json").read_text(encoding="utf-8"))
    assert content["settings"]["source_tags"] == "normal"
    assert [corpus["source_tags"] for corpus in content["corpora"]] == ["normal", "normal"]
    with pytest.raises(DataError, match=r"en-et: found source tags .* expected the rule 'normal' of .*all"):
        join(tmp_path / "more", joined, other)
    # Source tags that are left out may be of any rule.
    for part in ("train", "dev", "test"):
        (other / f"{part}.source_tags").unlink()
    (other / "corpus.json").unlink()
    info = join(tmp_path / "more", made / "en-de", (other, "en-et"), common_only=True)
    assert json.loads((info.path / "corpus.json").read_text(encoding="utf-8"))["settings"]["source_tags"] is None


def test_common_files_only(made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    german, estonian = copied(made, tmp_path)
    (german / "corpus.json").unlink()
    for part in ("train", "dev", "test"):
        (german / f"{part}.ids").unlink()
    join(tmp_path, (german, "en-de"), estonian, common_only=True)
    assert not list((tmp_path / "all").glob("*.ids"))
    assert "Left out, since not all corpora have them (--common-only): ids." in caplog.text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "found no directory to join"),
        (["--pair", "en-de"], "--pair: found 'en-de'; expected a pair and its directory"),
        (["--pair", "german=PLACE/en-de"], "--pair: found 'german'; expected two language codes joined by '-'"),
        (["PLACE/en-de", "--pair", "en-de=PLACE/en-de"], "en-de: given twice"),
        (["PLACE/input-en-de"], "found no part of a corpus"),
        (["PLACE"], "found no part of a corpus"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], expected: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [argument.replace("PLACE", str(made)) for argument in arguments]
    code = run(lambda: app(["corpus", "join", str(tmp_path / "all"), *given], standalone_mode=False))
    assert expected in capsys.readouterr().err
    assert code in (2, 3)
    assert not (tmp_path / "all").exists()


def test_an_existing_directory_is_kept(made: Path, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "notes").touch()
    with pytest.raises(ConfigError, match="already exists"):
        join(tmp_path, made / "en-de", made / "et-en")
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["notes"]
