"""``kiwi corpus``, from its input to a corpus that training reads."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kiwi import constants as const
from kiwi.cli import app, run
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.corpus import CorpusInfo, CorpusOptions, Input, make_corpus
from kiwi.lib.train import Configuration
from kiwi.lib.train.language_pairs import describe_data
from kiwi.lib.utils import load_configuration
from kiwi.runner.word_aligner import load_word_aligner
from kiwi.systems.manifest.checkpoint import CheckpointInfo
from kiwi.systems.manifest.model_card import model_card
from tests.pretrained import write_model

OPTIONS = CorpusOptions(
    source_language="en", target_language="de", tokenizer=("none", "none"), dev=2, test=1, processes=1
)

ROWS = [
    ("the red house", "das rote Haus", "das rote Haus"),
    ("open the door", "öffnen das Tür", "öffne die Tür"),
    ("close the door now", "schließe Tür", "schließe jetzt die Tür"),
    ("a b c d", "eins zwei drei vier", "vier eins zwei drei"),
    ("good day", "gute Tag", "guten Tag"),
    ("one more line", "noch eine Zeile da", "noch eine Zeile"),
]
ALIGNMENTS = ["0-0 1-1 2-2", "0-0 1-1 2-2", "0-0 2-1", "0-0 1-1 2-2 3-3", "0-0 1-1", "0-0 1-1 2-2"]
POST_EDIT_ALIGNMENTS = ["0-0 1-1 2-2", "0-0 1-1 2-2", "0-0 1-2 2-3 3-1", "0-1 1-2 2-3 3-0", "0-0 1-1", "0-0 1-1 2-2"]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def files(place: Path, rows: list[tuple[str, str, str]] = ROWS, **others: list[str]) -> Input:
    columns = dict(zip(("source", "target", "post_edit"), map(list, zip(*rows, strict=True)), strict=True))
    return Input({name: write(place / name, lines) for name, lines in {**columns, **others}.items()})


def make(place: Path, segments: Input, **options: Any) -> CorpusInfo:
    return make_corpus(place / "corpus", segments, OPTIONS.__class__(**{**vars(OPTIONS), **options}))


def lines(place: Path, name: str) -> list[str]:
    return (place / "corpus" / name).read_text(encoding="utf-8").removesuffix("\n").split("\n")


def test_the_files_of_a_corpus(tmp_path: Path) -> None:
    given = files(
        tmp_path,
        alignments=ALIGNMENTS,
        post_edit_alignments=POST_EDIT_ALIGNMENTS,
        ids=list("abcdef"),
        scores=["1", "2", "3", "-4.5", "5", "6"],
    )
    make(tmp_path, given, dev=0, test=0)
    assert lines(tmp_path, "train.src") == [source for source, _, _ in ROWS]
    assert lines(tmp_path, "train.mt") == [target for _, target, _ in ROWS]
    assert lines(tmp_path, "train.pe") == [post_edit for _, _, post_edit in ROWS]
    assert lines(tmp_path, "train.tags") == [
        "OK OK OK OK OK OK OK",
        "OK BAD OK BAD OK OK OK",
        "OK OK BAD OK OK",
        "BAD OK OK OK OK OK OK BAD OK",
        "OK BAD OK OK OK",
        "OK OK OK OK OK OK OK BAD OK",
    ]
    assert lines(tmp_path, "train.source_tags") == [
        "OK OK OK",
        "BAD BAD OK",
        "OK BAD OK BAD",
        "OK OK OK BAD",
        "BAD OK",
        "OK OK OK",
    ]
    assert lines(tmp_path, "train.hter") == ["0.000000", "0.666667", "0.500000", "0.250000", "0.500000", "0.333333"]
    assert lines(tmp_path, "train.src-mt.alignments") == ALIGNMENTS
    assert lines(tmp_path, "train.ids") == list("abcdef")
    assert lines(tmp_path, "train.scores")[3] == "-4.5"
    assert lines(tmp_path, "dropped.tsv") == ["line\trule\treason\tsource\ttarget\tpost_edit"]
    content = json.loads((tmp_path / "corpus" / "corpus.json").read_text(encoding="utf-8"))
    assert (content["source_language"], content["target_language"]) == ("en", "de")
    assert content["counts"]["read"] == content["counts"]["parts"]["train"]["segments"] == 6
    names = {path.name for path in (tmp_path / "corpus").iterdir()}
    assert names == {*content["sha256"], "corpus.json"}
    for name, digest in content["sha256"].items():
        assert hashlib.sha256((tmp_path / "corpus" / name).read_bytes()).hexdigest() == digest


def test_other_tags(tmp_path: Path) -> None:
    given = files(tmp_path, post_edit_alignments=POST_EDIT_ALIGNMENTS)
    make(tmp_path, given, dev=0, test=0, tag_form="target", source_tags="missing-only", align=False)
    assert lines(tmp_path, "train.tags")[2:4] == ["OK OK", "OK OK OK BAD"]
    assert lines(tmp_path, "train.source_tags")[1:4] == ["OK OK OK", "OK BAD OK BAD", "OK OK OK BAD"]
    assert not (tmp_path / "corpus" / "train.src-mt.alignments").exists()


def table(place: Path, suffix: str) -> Path:
    path = place / f"segments{suffix}"
    names = ["doc", "src", "mt", "pe"]
    rows = [(f"d{number // 2}", *row) for number, row in enumerate(ROWS)]
    if suffix == ".tsv":
        write(path, ["\t".join(row) for row in [tuple(names), *rows]])
    elif suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, *rows])
    elif suffix == ".jsonl":
        write(path, [json.dumps(dict(zip(names, row, strict=True))) for row in rows])
    else:
        import pyarrow
        import pyarrow.parquet

        cells = [list(column) for column in zip(*rows, strict=True)]
        pyarrow.parquet.write_table(pyarrow.table(dict(zip(names, cells, strict=True))), path)
    return path


COLUMNS = {"source": "src", "target": "mt", "post_edit": "pe", "group": "doc"}


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl", ".parquet"])
def test_tables(suffix: str, tmp_path: Path) -> None:
    given = Input(table=table(tmp_path, suffix), columns=COLUMNS)
    make(tmp_path, given, dev=2, test=2, source_tags="none", align=False)
    pairs = {(ROWS[start][0], ROWS[start + 1][0]) for start in (0, 2, 4)}
    assert {tuple(lines(tmp_path, f"{part}.src")) for part in ("train", "dev", "test")} == pairs


def test_several_processes_write_the_same(tmp_path: Path) -> None:
    rows = [(f"{source} {number}", target, post_edit) for number in range(200) for source, target, post_edit in ROWS]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    options = {"source_tags": "none", "align": False, "dev": 100, "keep": frozenset({"duplicate"})}
    make(tmp_path / "one", files(tmp_path / "one", rows), processes=1, **options)
    make(tmp_path / "two", files(tmp_path / "two", rows), processes=2, **options)
    for name in ("train.src", "dev.mt", "dev.tags", "train.hter", "test.pe"):
        assert lines(tmp_path / "one", name) == lines(tmp_path / "two", name)


def test_raw_text(tmp_path: Path) -> None:
    rows = [(f"Press key {number}, please.", "Bitte drücken.", f"Drücke Taste {number}, bitte.") for number in range(9)]
    make(tmp_path, files(tmp_path, rows), tokenizer=("auto", "auto"), source_tags="none", align=False)
    assert sorted(lines(tmp_path, "train.raw.src")) == sorted(set(lines(tmp_path, "train.raw.src")))
    assert lines(tmp_path, "train.raw.mt")[0] == "Bitte drücken."
    assert lines(tmp_path, "train.mt")[0] == "Bitte drücken ."
    assert lines(tmp_path, "train.src")[0].endswith(" , please .")
    content = json.loads((tmp_path / "corpus" / "corpus.json").read_text(encoding="utf-8"))
    assert content["tokenizers"]["source"]["name"] == content["tokenizers"]["target"]["name"] == "moses"
    assert "sacremoses" in content["versions"]


DIRTY = [
    *ROWS,
    ("", "leer", "leer"),
    ("Guten Morgen", "Guten Morgen", "Guten Morgen !"),
    ("a house in town", "Привет всем людям", "ein Haus in der Stadt"),
    ("words of a line", "eins", "ganz andere Wörter stehen hier"),
    ROWS[1],
]
RULES = ["empty", "copied", "script", "unrelated", "duplicate"]


def test_what_is_left_out_is_listed(tmp_path: Path) -> None:
    info = make(tmp_path, files(tmp_path, DIRTY), dev=0, test=0, source_tags="none", align=False)
    listed = [line.split("\t")[:3] for line in lines(tmp_path, "dropped.tsv")[1:]]
    assert [row[:2] for row in listed] == [[str(number), rule] for number, rule in enumerate(RULES, start=7)]
    assert listed[2][2] == "target: 0 of 15 letters are latin, as de is written"
    assert dict(info.summary.dropped) == dict.fromkeys(RULES, 1)
    assert lines(tmp_path, "train.src") == [source for source, _, _ in ROWS]


@pytest.mark.parametrize("rule", RULES[1:])
def test_each_rule_can_be_switched_off(rule: str, tmp_path: Path) -> None:
    make(tmp_path, files(tmp_path, DIRTY), dev=0, test=0, source_tags="none", align=False, keep=frozenset({rule}))
    assert rule not in [line.split("\t")[1] for line in lines(tmp_path, "dropped.tsv")[1:]]
    assert len(lines(tmp_path, "train.src")) == 7


def test_an_empty_post_edit_can_mean_that_nothing_was_edited(tmp_path: Path) -> None:
    rows = [
        (source, target, "" if number == 4 else post_edit) for number, (source, target, post_edit) in enumerate(ROWS)
    ]
    options: dict[str, Any] = {"dev": 0, "test": 0, "source_tags": "none", "align": False}
    (tmp_path / "other").mkdir()
    make(tmp_path, files(tmp_path, rows), empty_is_unedited=True, **options)
    assert lines(tmp_path, "train.pe")[4] == "gute Tag"
    assert lines(tmp_path, "train.hter")[4] == "0.000000"
    make(tmp_path / "other", files(tmp_path / "other", rows), **options)
    assert len(lines(tmp_path / "other", "train.pe")) == 5


@pytest.mark.parametrize("blank", ["\u00a0", "\u3000", "\u200b"])
def test_a_side_of_invisible_characters_is_empty(blank: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"source_tags": "none", "align": False, "dev": 0, "test": 0}
    rows = [*ROWS[:4], ("good day", "gute Tag", blank), ROWS[5]]
    make(tmp_path, files(tmp_path, rows), empty_is_unedited=True, **options)
    assert lines(tmp_path, "train.pe")[4] == "gute Tag"
    other = tmp_path / "other"
    other.mkdir()
    make(other, files(other, rows), **options)
    assert lines(other, "dropped.tsv")[1].split("\t")[:3] == ["5", "empty", "the post-edit is empty"]
    with pytest.raises(DataError, match="post_edit, line 5: found an empty post-edit"):
        make(tmp_path / "third", files(other, rows), keep=frozenset({"empty"}), **options)


def test_an_empty_cell_is_an_empty_post_edit(tmp_path: Path) -> None:
    rows = [dict(zip(("source", "target", "post_edit"), row, strict=True)) for row in ROWS]
    path = write(tmp_path / "t.jsonl", [json.dumps(row | {"post_edit": None}) for row in rows])
    make(tmp_path, Input(table=path), empty_is_unedited=True, dev=0, test=0, source_tags="none", align=False)
    assert set(lines(tmp_path, "train.hter")) == {"0.000000"}


def test_training_reads_the_corpus(tmp_path: Path) -> None:
    given = files(tmp_path, alignments=ALIGNMENTS, post_edit_alignments=POST_EDIT_ALIGNMENTS)
    make(tmp_path, given, dev=2, test=1)
    options = load_configuration(tmp_path / "corpus" / "config.yaml")
    config = Configuration.from_dict(options)
    train, valid = WMTQEDataset.train_and_valid(config.data, 1)  # type: ignore[arg-type]
    assert (len(train), len(valid)) == (3, 2)
    assert {const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS, const.ALIGNMENTS} < set(train.columns)
    assert options["system"]["class_name"] == "NuQE"


def test_the_configuration_of_a_corpus_is_read_whatever_its_directory_is_called(tmp_path: Path) -> None:
    place = tmp_path / "a${x}"
    place.mkdir()
    make(place, files(tmp_path), dev=2, test=1, source_tags="none", align=False)
    options = load_configuration(place / "corpus" / "config.yaml")
    assert options["data"]["train"]["input"]["source"] == f"{place}/corpus/train.src"
    title = (place / "corpus" / "config.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert title.endswith(f"kiwi train '{place}/corpus/config.yaml'")


def test_references_are_named_as_such(tmp_path: Path) -> None:
    options: dict[str, Any] = {"references": True, "source_tags": "none", "align": False}
    make(tmp_path, files(tmp_path), **options)
    assert json.loads((tmp_path / "corpus" / "corpus.json").read_text(encoding="utf-8"))["post_edits"] == "references"
    page = (tmp_path / "corpus" / "report.html").read_text(encoding="utf-8")
    assert "References stand in for post-edits." in page
    # A phone shows each row as a list, in which the labels stand for the columns.
    assert page.count('data-label="reference words"') == page.count('data-label="mean HTER"') > 0


def test_the_report_trusts_no_text(tmp_path: Path) -> None:
    attack = "<script>alert(1)</script>"
    rows = [*ROWS, (f"hello {attack}", f"hallo {attack}", "ganz <b>anders</b>")]
    make(tmp_path, files(tmp_path, rows, annotator=[f"<i>{n % 2}" for n in range(7)]), source_tags="none", align=False)
    page = (tmp_path / "corpus" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<b>anders" not in page
    assert "<i>0" not in page
    assert "<del>hallo</del>" in page
    assert "default-src 'none'" in page


# Bad input.


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("target", ["only one line"], "different length"),
        ("alignments", [*ALIGNMENTS[:3], "9-0", *ALIGNMENTS[4:]], "alignments, line 4: found source index 9"),
        ("post_edit_alignments", ["x", *POST_EDIT_ALIGNMENTS[1:]], "post_edit_alignments, line 1: found 'x'"),
        ("scores", ["1", "2", "three", "4", "5", "6"], "scores, line 3: found 'three'; expected a finite number"),
    ],
)
def test_bad_lines(name: str, content: list[str], message: str, tmp_path: Path) -> None:
    given = files(tmp_path, alignments=ALIGNMENTS, post_edit_alignments=POST_EDIT_ALIGNMENTS, scores=["1"] * 6)
    write(given.files[name], content)
    with pytest.raises(DataError, match=message):
        make(tmp_path, given)
    assert not (tmp_path / "corpus").exists()
    assert not list(tmp_path.glob(".corpus*"))


def test_bad_bytes(tmp_path: Path) -> None:
    given = files(tmp_path)
    given.files["post_edit"].write_bytes(b"eins\nzw\xe9i\n" * 3)
    with pytest.raises(DataError, match="post_edit, line 2: found byte 0xe9"):
        make(tmp_path, given, source_tags="none", align=False)


def test_an_empty_side_that_is_not_left_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="source, line 7: found an empty source"):
        make(tmp_path, files(tmp_path, DIRTY), keep=frozenset({"empty"}), source_tags="none", align=False)


def test_a_table_without_the_column(tmp_path: Path) -> None:
    message = "found no column 'source'; .* Name the column of each field, such as --columns source=NAME."
    with pytest.raises(DataError, match=message):
        make(tmp_path, Input(table=table(tmp_path, ".csv")), source_tags="none", align=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": frozenset({"script", "copy"})}, "--keep: 'copy' is not a cleaning rule; did you mean 'copied'"),
        ({"source_language": "english"}, "--source-language: found 'english'"),
        ({"dev": 2.5}, "--dev: found 2.5"),
        ({"test": -0.5}, "--test: found -0.5"),
        ({"dev": float("nan")}, "--dev: found nan"),
        ({"dev": float("inf")}, "--dev: found inf"),
        ({"seed": -5}, "--seed: found -5; expected 0 or more"),
        ({"align": False}, "--no-align: source tags need alignments"),
        ({"tokenizer": ("moses", "moses")}, "--alignments: found alignments, which count the words"),
        ({"encoder": "e", "align": False, "source_tags": "none"}, "--encoder: found e; .* because of --no-align"),
        ({"encoder": "e", "source_tags": "none"}, "--encoder: found e; .* because the alignments are given"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path, files(tmp_path, alignments=ALIGNMENTS), **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Input(), "--source, --target, --post-edit: not given"),
        (Input(columns={"source": "a"}), "--columns names columns of a table"),
        (Input(table=Path("t.tsv"), files={"source": Path("s")}), "--source: found files beside the table"),
        (Input(table=Path("t.tsv"), columns={"sources": "a"}), "'sources' is not a field; did you mean 'source'"),
        (Input(table=Path("t.tsv"), columns={"source": "a", "target": "a"}), "the same column for several fields"),
    ],
)
def test_bad_input(given: Input, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path, given)


def test_alignments_of_post_edits_are_for_source_tags_only(tmp_path: Path) -> None:
    given = files(tmp_path, alignments=ALIGNMENTS, post_edit_alignments=ALIGNMENTS)
    with pytest.raises(ConfigError, match="--post-edit-alignments: for source tags, which --source-tags none"):
        make(tmp_path, given, source_tags="none")
    with pytest.raises(ConfigError, match="--encoder: found e; it would align no words, because the alignments are"):
        make(tmp_path, given, encoder="e")


def test_a_corpus_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "corpus", [])
    with pytest.raises(ConfigError, match="already exists"):
        make(tmp_path, files(tmp_path))


def test_a_killed_command_leaves_nothing_and_starts_anew(tmp_path: Path) -> None:
    rows = [(f"{source} {number}", target, post_edit) for number in range(500) for source, target, post_edit in ROWS]
    given = files(tmp_path, rows)
    arguments = [f"--{name.replace('_', '-')}={path}" for name, path in given.files.items()]
    arguments += ["--tokenizer=none", "--source-tags=none", "--no-align", "--processes=1", "-q"]
    command = [sys.executable, "-m", "kiwi", "corpus", str(tmp_path / "corpus"), *arguments]
    process = subprocess.Popen(command, start_new_session=True)
    end = time.monotonic() + 60
    while not (found := list(tmp_path.glob(".corpus.*/corpus/rows.jsonl"))) or not found[0].stat().st_size:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "corpus").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == f"{tmp_path / 'corpus'}\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert sum(len(lines(tmp_path, f"{part}.src")) for part in ("train", "dev", "test")) == len(rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tokenizer", "moses,zh,ja"], "--tokenizer: found 3 names; expected one, or those of source and target."),
        (["--tokenizer", "mosses"], "--tokenizer: found 'mosses'; expected auto or none or moses or zh or ja."),
        (["--tags", "gaps"], "--tags: found 'gaps'; expected interleaved or target."),
    ],
)
def test_bad_arguments(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["kiwi", "corpus", str(tmp_path / "corpus"), "t.csv", *arguments])
    assert run(lambda: app(standalone_mode=False)) == 2
    assert message in capsys.readouterr().err


def test_words_are_aligned_where_no_file_does(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    encoder = write_model("xlm-roberta", tmp_path_factory.mktemp("encoders") / "tiny", max_position_embeddings=300)
    make(tmp_path, files(tmp_path), dev=0, test=0, encoder=str(encoder))
    source, target, post_edit = map(list, zip(*ROWS, strict=True))
    aligner = load_word_aligner(encoder)
    assert lines(tmp_path, "train.src-mt.alignments") == list(aligner.align(source, target))
    # Source tags follow from the alignments with the post-edit, which have more links.
    own = list(aligner.align(source, post_edit, ["softmax"] * len(ROWS)))
    given = tmp_path / "given"
    given.mkdir()
    make(given, files(given, alignments=ALIGNMENTS, post_edit_alignments=own), dev=0, test=0)
    assert lines(tmp_path, "train.source_tags") == lines(given, "train.source_tags")
    assert any("BAD" in line for line in lines(tmp_path, "train.source_tags"))


def test_what_is_left_out_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [*ROWS, ("one", "eins", ""), ("two", "zwei", ""), ("three", "three", "drei")]
    make(tmp_path, files(tmp_path, rows), source_tags="none", align=False)
    assert "Left out 3 of 9 segments: empty 2, copied 1. dropped.tsv has the reasons." in caplog.text
    assert "give --empty-is-unedited" in caplog.text


def test_nothing_is_left(tmp_path: Path) -> None:
    rows = [("same", "same", "anders")] * 3
    with pytest.raises(DataError, match="found 3 segments, all of which the cleaning rules leave out; expected some"):
        make(tmp_path, files(tmp_path, rows), source_tags="none", align=False)
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("references", [True, False])
def test_the_origin_of_labels_reaches_the_model_card(references: bool, tmp_path: Path) -> None:
    make(tmp_path, files(tmp_path), source_tags="none", align=False, references=references)
    options = load_configuration(tmp_path / "corpus" / "config.yaml")
    columns = {"source": ["a ."], "target": ["b ."], "sentence_scores": ["0.5"]}
    data = describe_data(Configuration.from_dict(options).data, columns, columns)
    assert data.labels_from == ("references" if references else "post-edits")
    assert data.score == ScoreMeaning("hter", higher_is_better=False, range=(0.0, 1.0), mean=0.5)
    info = CheckpointInfo("NuQE", {"outputs": {"sentence_level": {"hter": True}}}, data=data)
    assert CheckpointInfo.from_dict(info.to_dict()).data == data
    card = model_card(info, "me/system")
    assert ("labels were made from references, which stand in for post-edits" in card) == references
    assert ("labels were made from post-edits" in card) != references
