"""Folders of encoders whose tokenizer is missing, is not theirs, or cannot be used word by word."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import transformers
from tokenizers import Regex, Tokenizer, pre_tokenizers

from kiwi.data.text.pieces import PieceTokenizer
from kiwi.exceptions import ConfigError, MissingExtraError
from kiwi.lib.pretrained.vectors import write_vectors
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.pretrained.tokenizer import check_text
from tests.pretrained import TEXT, write_model

FAMILIES = [
    "bert",
    "roberta",
    "xlm-roberta",
    "deberta-v2",
    "electra",
    "distilbert",
    "camembert",
    "big_bird",
    "longformer",
    "ernie",
    "xmod",
    "qwen2",
    "gpt2",
    "rembert",
    "modernbert",
    "mpnet",
    "albert",
]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_without_a_tokenizer(family: str, tmp_path: Path) -> None:
    transformers.AutoConfig.for_model(family, vocab_size=620).save_pretrained(tmp_path)
    with pytest.raises(
        ConfigError, match=r"model_name: '.*' ?(: found \d+ entries .* 620 embeddings|cannot be loaded)"
    ):
        Pretrained.from_model(str(tmp_path))


@pytest.mark.parametrize(
    ("family", "lacks"),
    [
        ("modernbert", "no tokenizer.json and no other vocabulary"),
        ("m2m_100", "no tokenizer.json and no other vocabulary"),
        ("flaubert", "no tokenizer.json and no other vocabulary"),
        ("xlm", "no vocab.json and no merges.txt"),
    ],
)
def test_tokenizers_that_cannot_do_without_files(family: str, lacks: str, tmp_path: Path) -> None:
    transformers.AutoConfig.for_model(family).save_pretrained(tmp_path)
    with pytest.raises(
        ConfigError, match=rf"cannot be loaded: found {lacks}; .* The folder has config\.json"
    ) as caught:
        Pretrained.from_model(str(tmp_path))
    assert "sentencepiece" not in str(caught.value)
    assert "network" not in str(caught.value)


def test_a_tokenizer_that_lacks_one_of_two_files(tmp_path: Path) -> None:
    folder = write_model("xlm", tmp_path / "model")
    (folder / "merges.txt").unlink()
    with pytest.raises(ConfigError, match=r"found no merges\.txt; .* The folder has .*vocab\.json"):
        Pretrained.from_model(str(folder))


DAMAGED = {
    "tokenizer.json": {
        '{"version": "1.0", "trunc': "found text that is not JSON at line 1, column 20; expected JSON",
        "": "found an empty file; expected JSON",
        "{}": "found no 'model'; expected a tokenizer of the library 'tokenizers'",
        "[1]": "found JSON of the type list; expected an object",
        '{"model": {"type": "BPE"}}': "found a tokenizer that the library 'tokenizers' cannot read",
    },
    "tokenizer_config.json": {"{": "found text that is not JSON", "[]": "found JSON of the type list"},
}


@pytest.mark.parametrize(("name", "content"), [(name, content) for name in DAMAGED for content in DAMAGED[name]])
def test_a_damaged_file_of_a_tokenizer_is_named(name: str, content: str, tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "model")
    (folder / name).write_text(content, encoding="utf-8")
    reason = re.escape(DAMAGED[name][content])
    with pytest.raises(
        ConfigError, match=rf"cannot be loaded: .*/{name}: {reason}.* Copy the tokenizer's files"
    ) as caught:
        Pretrained.from_model(str(folder))
    assert "network" not in str(caught.value)


def test_a_tokenizer_of_another_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as that of Marian, which Transformers has in Python."""
    folder = write_model("bert", tmp_path / "model")
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: object())
    with pytest.raises(ConfigError, match=r"has a object, which is not of the library 'tokenizers'\. Name an encoder"):
        Pretrained.from_model(str(folder))


def test_the_files_are_named_and_vectors_are_refused(tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "model", vocab_size=620)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "bert_vocab.txt").write_text("the\n", encoding="utf-8")
    (tmp_path / "text").write_text("the house\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        write_vectors(folder, tmp_path / "out", [tmp_path / "text"], dim=1)
    assert not (tmp_path / "out").exists()
    message = str(caught.value)
    assert "found 5 entries in its tokenizer and 620 embeddings" in message
    assert "bert_vocab.txt" in message


def edit(folder: Path, **changes: Any) -> str:
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    return str(folder)


def test_a_tokenizer_that_knows_nothing_of_its_own_vocabulary(tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "model")
    with pytest.raises(
        ConfigError, match=r"found \d+% unknown pieces where its tokenizer reads \d+ of its own entries"
    ):
        Pretrained.from_model(edit(folder, pre_tokenizer={"type": "Metaspace", "replacement": "▁"}))


def test_pieces_of_several_words_are_refused(tmp_path: Path) -> None:
    folder = write_model("xlm-roberta", tmp_path / "model")
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["vocab"].append(["▁the▁bank", -1.0])
    content["pre_tokenizer"]["split"] = False
    with pytest.raises(ConfigError, match=r"joins words over spaces \('the bank' has the pieces ▁the▁bank,"):
        Pretrained.from_model(edit(folder, **content))
    content["pre_tokenizer"]["split"] = True  # no text has this piece
    Pretrained.from_model(edit(folder, **content))


def test_an_expression_that_backtracks_is_refused(tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "model")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"(a+)+$"), "isolated")
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(ConfigError, match=r"model'?: the regular expression \(a\+\)\+\$ of its tokenizer takes more"):
        Pretrained.from_model(str(folder))


def test_text_of_another_script(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pieces = PieceTokenizer(Pretrained.from_model(str(write_model("bert", tmp_path / "model"))).tokenizer, 64)
    check_text(pieces, {"source": TEXT, "target": TEXT}, "model")
    assert not caplog.records
    with pytest.raises(ConfigError, match="does not know 100% of the pieces of the target, in 2 segments"):
        check_text(pieces, {"source": TEXT, "target": ["სახლი პატარა", "ძველი"]}, "model")
    check_text(pieces, {"target": ["სახლი პატარა ძველი the"]}, "model")
    assert re.search(r"does not know \d\d% of the pieces of the target: an encoder for this", caplog.text)


@pytest.fixture(scope="module")
def sentencepiece_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder as mDeBERTa-v3 is published: ``spm.model``, and no ``tokenizer.json``."""
    place = tmp_path_factory.mktemp("sentencepiece")
    folder = write_model("deberta-v2", place / "model")
    for file in folder.glob("*token*"):
        file.unlink()
    (place / "text").write_text("\n".join(TEXT * 5), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(place / "text"),
        model_prefix=str(place / "spm"),
        vocab_size=75,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="[PAD]",
        bos_piece="[CLS]",
        eos_piece="[SEP]",
        unk_piece="[UNK]",
        hard_vocab_limit=False,
        minloglevel=2,
    )
    shutil.copy(place / "spm.model", folder / "spm.model")
    content = {"tokenizer_class": "DebertaV2Tokenizer", "vocab_type": "spm", "do_lower_case": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_sentencepiece(sentencepiece_folder: Path) -> None:
    pieces = PieceTokenizer(Pretrained.from_model(str(sentencepiece_folder)).tokenizer, 64)
    own = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_folder / "spm.model"))
    for line in TEXT:
        found = [pieces.tokenizer.id_to_token(index) for word in pieces.encode(line.split()) for index in word]
        assert found == own.encode(line, out_type=str)


@pytest.mark.parametrize("missing", ["sentencepiece", "google.protobuf"])
def test_without_sentencepiece(missing: str, sentencepiece_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    message = r"spm.model, .* needs \w+, not installed.*pip install '\.\[sentencepiece\]'"
    with pytest.raises(MissingExtraError, match=message):
        Pretrained.from_model(str(sentencepiece_folder))
