from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from typer.testing import CliRunner

from kiwi.cli import app
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.pretrained.vectors import reduce_dimensions, write_vectors
from kiwi.lib.train import train_from_configuration
from kiwi.systems.pretrained.word_vectors import word_vectors
from tests.pretrained import FAMILIES, write_model

WORDS = ["Haus", "klein", "Bank", "\u200b", "y" * 300]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model("xlm-roberta", tmp_path_factory.mktemp("models") / "model")


@pytest.mark.parametrize("layer", [0, 2, 3, None])
def test_a_word_is_the_mean_of_its_pieces_alone(layer: int | None, encoder: Path) -> None:
    model = transformers.AutoModel.from_pretrained(encoder, add_pooling_layer=False).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder)
    found = word_vectors(str(encoder), WORDS, layer)
    for word, vector in zip(WORDS[:3], found, strict=False):
        encoded = tokenizer(word, return_tensors="pt")
        with torch.no_grad():
            states = model(**encoded, output_hidden_states=True).hidden_states[2 if layer is None else layer]
        np.testing.assert_allclose(vector, states[0, 1:-1].mean(0), atol=1e-5)
    assert np.isfinite(found).all()
    assert (np.abs(found).max(axis=1) > 0).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(family: str, tmp_path: Path) -> None:
    found = word_vectors(str(write_model(family, tmp_path / "model")), WORDS)
    assert found.shape == (5, 16)
    assert np.isfinite(found).all()


def test_the_directions_of_most_variance_stay() -> None:
    generator = np.random.default_rng(3)
    spread = np.diag([9.0, 4.0, 1.0, 0.01])
    rotation = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    plain = generator.normal(size=(500, 4)) @ spread
    reduced = reduce_dimensions((plain @ rotation).astype(np.float32), np.ones(500), 2)
    assert np.linalg.norm(reduced, axis=1).mean() == pytest.approx(1.0)
    correlation = np.corrcoef(np.concatenate([reduced.T, plain[:, :2].T]))[:2, 2:]
    np.testing.assert_allclose(np.abs(np.diag(correlation)), 1.0, atol=0.02)
    deviations = reduced.std(axis=0)
    assert deviations[0] / deviations[1] == pytest.approx((9 / 4) ** 0.5, rel=0.1)


def test_frequent_words_count_more() -> None:
    vectors = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 3.0], [0.0, -3.0]], dtype=np.float32)
    rare, frequent = (reduce_dimensions(vectors, np.array([n, n, 1.0, 1.0]), 1) for n in (1.0, 400.0))
    assert abs(rare[2, 0]) > 0.5 > abs(rare[0, 0])
    assert abs(frequent[0, 0]) > 0.5 > abs(frequent[2, 0])


def test_nuqe_trains_on_what_is_written(encoder: Path, options: Any, corpus: Any, tmp_path: Path) -> None:
    files = {}
    for side in ("source", "target"):
        texts = [str(corpus.file(part, side)) for part in ("train", "valid")]
        files[side] = tmp_path / "vectors" / side
        done = CliRunner().invoke(app, ["vectors", str(encoder), str(files[side]), *texts, "--dim", "8"])
        assert done.exit_code == 0, done.output
        assert done.output.strip().endswith(str(files[side]))
    words = {word for part in ("train", "valid") for line in corpus.lines(part, "source") for word in line.split()}
    rows = [line.split(" ") for line in files["source"].read_text(encoding="utf-8").splitlines()]
    assert [row[0] for row in rows] == sorted(words)
    changes = {
        "system.data_processing": {
            "embeddings": {**{side: str(path) for side, path in files.items()}, "format": "text"},
            "vocab": {"add_embeddings_vocab": True},
        },
        "system.model.encoder.embeddings.source.freeze": True,
    }
    system = train_from_configuration(options(changes)).model
    index = system.vocabularies["source"].encode([rows[0][0]])[0]
    layer = system.encoder.get_submodule("embeddings.source")
    np.testing.assert_allclose(layer.tokens.weight[index].detach(), [float(value) for value in rows[0][1:]], atol=1e-6)


def test_what_cannot_be_written_is_refused(encoder: Path, corpus: Any, tmp_path: Path) -> None:
    text = corpus.file("train", "source")
    with pytest.raises(ConfigError, match="dim: found 17; expected 1 to 16"):
        write_vectors(encoder, tmp_path / "out", [text], dim=17)
    with pytest.raises(ConfigError, match=r"layer: found 4; expected 0 \(embeddings\) to 3"):
        write_vectors(encoder, tmp_path / "out", [text], dim=2, layer=4)
    with pytest.raises(DataError, match="cannot be read"):
        write_vectors(encoder, tmp_path / "out", [tmp_path / "nothing"])
    with pytest.raises(ConfigError, match="cannot be loaded"):
        write_vectors(tmp_path, tmp_path / "out", [text])
    with pytest.raises(ConfigError, match=r"'\./nothing' is not a folder on this machine"):
        write_vectors("./nothing", tmp_path / "out", [text])
    assert not (tmp_path / "out").exists()
