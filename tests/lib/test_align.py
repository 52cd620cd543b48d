from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from kiwi.cli import app, run
from kiwi.data.text.word_alignment import align_words, alignment_line
from kiwi.exceptions import CheckpointError, ConfigError, DataError
from kiwi.lib.align import align, export_aligner
from kiwi.lib.score import Input
from kiwi.runner.word_aligner import WordAligner, load_word_aligner
from kiwi.systems.manifest.aligner import ALIGNER_FILE
from kiwi.utils.sealed import SUMS_FILE, seal
from tests.conftest import Corpus
from tests.pretrained import FAMILIES, write_model


@pytest.fixture(scope="module")
def encoder(aligning_encoder: Path) -> Path:
    """Not to be changed."""
    return aligning_encoder


@pytest.fixture(scope="module")
def aligner(encoder: Path) -> WordAligner:
    return load_word_aligner(encoder)


@pytest.fixture(scope="module")
def exported(exported_aligner: Path) -> Path:
    """Not to be changed."""
    return exported_aligner


def reference(encoder: Path, text: str, layer: int) -> np.ndarray:
    """The mean state of each word, from the whole model."""
    model = transformers.AutoModel.from_pretrained(encoder, add_pooling_layer=False).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder)
    encoded = tokenizer(text.split(), is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**encoded, output_hidden_states=True).hidden_states[layer][0].numpy()
    places = np.array([-1 if word is None else word for word in encoded.word_ids()])
    return np.stack([states[places == word].mean(axis=0) for word in range(len(text.split()))])


@pytest.mark.parametrize("layer", [None, 1, 4])
@pytest.mark.parametrize("method", ["argmax", "softmax"])
def test_alignments_are_those_of_the_states_of_the_layer(
    encoder: Path, corpus: Corpus, layer: int | None, method: Any
) -> None:
    source, target = corpus.lines("test", "source"), corpus.lines("test", "target")
    found = list(load_word_aligner(encoder, method, layer=layer).align(source, target))
    expected = [
        alignment_line(align_words(reference(encoder, one, layer or 2), reference(encoder, other, layer or 2), method))
        for one, other in zip(source, target, strict=True)
    ]
    assert found == expected
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(family: str, tmp_path: Path, corpus: Corpus) -> None:
    aligner = load_word_aligner(write_model(family, tmp_path / "model"), layer=2)
    assert all(aligner.align(corpus.lines("test", "source"), corpus.lines("test", "target")))


def test_a_segment_depends_on_no_other(aligner: WordAligner, corpus: Corpus) -> None:
    source, target = corpus.lines("train", "source"), corpus.lines("train", "target")
    together = list(aligner.align(source, target))
    backwards = list(aligner.align(source[::-1], target[::-1]))
    assert backwards[::-1] == together
    assert [next(iter(aligner.align([one], [other]))) for one, other in zip(source[:8], target[:8], strict=True)] == (
        together[:8]
    )


def test_a_segment_that_is_longer_than_the_encoder_reads(aligner: WordAligner) -> None:
    words = ("Close", "the", "bank", "house", "small", "old")
    generator = random.Random(1)
    text = " ".join(generator.choice(words) for _ in range(400))
    (line,) = aligner.align([text], [text])
    # The same text on both sides has the same states, so that each word's best counterpart is itself.
    assert line == " ".join(f"{index}-{index}" for index in range(400))


def test_an_empty_side(aligner: WordAligner) -> None:
    assert list(aligner.align(["Close the bank .", "", ""], ["", "Bank", ""])) == ["", "", ""]


def test_an_exported_encoder_aligns_alike_without_torch(
    exported: Path, aligner: WordAligner, corpus: Corpus, tmp_path: Path
) -> None:
    expected = list(aligner.align(corpus.lines("train", "source"), corpus.lines("train", "target")))
    code = (
        "import sys\nfrom kiwi.cli import app\n"
        f"app(['align', '--encoder', {str(exported)!r}, '-s', {str(corpus.file('train', 'source'))!r}, '-t', "
        f"{str(corpus.file('train', 'target'))!r}], standalone_mode=False)\n"
        "assert not {'torch', 'transformers'}.intersection(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == expected


def test_8_bits(encoder: Path, aligner: WordAligner, corpus: Corpus, tmp_path: Path) -> None:
    path = export_aligner(tmp_path / "int8", str(encoder), int8=True)
    columns = corpus.lines("train", "source"), corpus.lines("train", "target")
    found = [set(line.split()) for line in load_word_aligner(path).align(*columns)]
    expected = [set(line.split()) for line in aligner.align(*columns)]
    shared = sum(len(one & other) for one, other in zip(found, expected, strict=True))
    assert shared > 0.9 * sum(map(len, expected))


def cli(*arguments: str | Path) -> int:
    return run(lambda: app([*map(str, arguments)], standalone_mode=False))


def test_tables_and_files(
    encoder: Path, aligner: WordAligner, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = corpus.lines("test", "source"), corpus.lines("test", "target")
    table = tmp_path / "table.jsonl"
    table.write_text(
        "".join(json.dumps({"src": one, "mt": other}) + "\n" for one, other in zip(source, target, strict=True)),
        encoding="utf-8",
    )
    assert cli("align", table, "--columns", "source=src,target=mt", "--encoder", encoder) == 0
    expected = "".join(f"{line}\n" for line in aligner.align(source, target))
    assert capsys.readouterr().out == expected
    files = ("-s", corpus.file("test", "source"), "-t", corpus.file("test", "target"))
    assert cli("align", *files, "--encoder", encoder, "-o", tmp_path / "out") == 0
    assert (tmp_path / "out").read_text(encoding="utf-8") == expected


def test_a_pipe_is_answered_line_by_line(
    encoder: Path, aligner: WordAligner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("Close the bank .", "Schließen Sie die Bank ."), ("The house", "Das Haus")]
    content = "".join("\t".join(row) + "\n" for row in rows).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert cli("align", "--encoder", encoder, "--stream") == 0
    expected = "".join(f"{line}\n" for line in aligner.align(*map(list, zip(*rows, strict=True))))
    assert capsys.readouterr().out == expected


MISTAKES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "a layer too many": (("--layer", "5"), 2, "expected 1 to 4"),
    "another method": (("--method", "x"), 2, "expected argmax or softmax"),
    "8 bits without an export": (("--int8",), 2, "--int8 goes with --export"),
    "an export with an input": (("--export", "x", "-s", "y"), 2, "Remove the input"),
    "an export with options of aligning": (
        ("--export", "x", "--method", "softmax", "--stream", "--columns", "source=a", "--threads", "1", "--overwrite"),
        2,
        "Remove --method, --columns, --stream, --threads, --overwrite.",
    ),
    "files of different length": (("-s", "two", "-t", "one"), 3, "different length"),
    "no target": (("-s", "two"), 2, "Add --target"),
    "a column that is not read": (("t.tsv", "--columns", "alignments=a"), 2, "from source and target only"),
    "a field that is none": (
        ("t.tsv", "--columns", "post_edit=pe"),
        2,
        "found post_edit; words are aligned from source",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(
    name: str, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one").write_text("a\n", encoding="utf-8")
    Path("two").write_text("a\nb\n", encoding="utf-8")
    arguments, exit_code, message = MISTAKES[name]
    files = () if "-s" in arguments else ("-s", "one", "-t", "one")
    files = () if {"--export", "--columns"} & {*arguments} else files
    assert cli("align", *arguments, *files, "--encoder", encoder) == exit_code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_an_export_has_one_layer(exported: Path) -> None:
    assert load_word_aligner(exported, layer=2).engine.name == "tiny, layer 2, fp32"
    with pytest.raises(ConfigError, match="was exported with layer 2"):
        load_word_aligner(exported, layer=3)


def test_an_export_is_not_written_over(exported: Path, encoder: Path) -> None:
    with pytest.raises(ConfigError, match="already exists"):
        export_aligner(exported, str(encoder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"format_version": 9}, "reads version 1"), ({"max_pieces": "x"}, "damaged"), ({"precision": "fp8"}, "damaged")],
)
def test_damaged_metadata(changes: dict[str, Any], message: str, exported: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(exported, tmp_path / "copy"))
    content = json.loads((copy / ALIGNER_FILE).read_text(encoding="utf-8"))
    (copy / ALIGNER_FILE).write_text(json.dumps(content | changes), encoding="utf-8")
    with pytest.raises(CheckpointError, match="damaged: found SHA-256"):
        load_word_aligner(copy)
    (copy / SUMS_FILE).unlink()
    seal(copy)
    with pytest.raises(CheckpointError, match=message):
        load_word_aligner(copy)


def test_an_empty_side_in_a_file_names_the_line(encoder: Path, tmp_path: Path) -> None:
    for name, text in (("source", "a\nb\n"), ("target", "a\n\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = {name: tmp_path / name for name in ("source", "target")}
    with pytest.raises(DataError, match=r"target, line 2: found an empty target.* Add the missing side, or remove"):
        align(load_word_aligner(encoder), Input(files=files), io.StringIO())


def test_the_default_encoder_is_read_from_its_packages() -> None:
    aligner = load_word_aligner()
    assert aligner.engine.name == "multilingual-e5-small, layer 6"
    assert list(aligner.align(["The house is small ."], ["Das Haus ist klein ."])) == ["0-0 1-1 2-2 3-3 4-4"]


def test_a_path_that_is_not_there_is_never_looked_up(tmp_path: Path) -> None:
    for use in (load_word_aligner, lambda encoder: export_aligner(tmp_path / "out", encoder)):
        with pytest.raises(ConfigError, match=r"'\./nothing' is not a folder on this machine"):
            use("./nothing")


def test_files_of_the_encoder_are_never_written_over(
    encoder: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(encoder, tmp_path / "encoder")
    files = ["-s", str(corpus.file("test", "source")), "-t", str(corpus.file("test", "target"))]
    config = folder / "config.json"
    before = config.read_bytes()
    monkeypatch.setattr(
        sys, "argv", ["kiwi", "align", *files, "--encoder", str(folder), "-o", str(config), "--overwrite", "--quiet"]
    )
    assert run(app) == 2
    assert "would be written over, but this command reads it" in capsys.readouterr().err
    assert config.read_bytes() == before
