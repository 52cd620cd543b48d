from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from kiwi.cli import app
from kiwi.exceptions import ConfigError
from kiwi.lib.export import export
from kiwi.lib.pretrained.trim import trim
from kiwi.systems.batching import as_tensors
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.manifest.intervals import CalibrationGroup, ScoreIntervals
from kiwi.systems.qe_system import QESystem
from tests.conftest import Trained
from tests.pretrained import TEXT, write_model

ROW = {"source": "Close the bank .", "target": "Schließen Sie die Bank ."}


def system_on(family: str, place: Path, **encoder: object) -> Path:
    folder = write_model(family, place / "model", num_hidden_layers=1)
    model = {
        "encoder": {"model_name": str(folder), "hidden_size": 8, **encoder},
        "outputs": {"word_level": {"target": True}, "sentence_level": {"hter": True}},
    }
    config = QESystem.Config.from_dict({"class_name": "Transformer", "model": model})
    system = QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]})
    system.data_info = DataInfo(intervals=ScoreIntervals(0.9, {"all": CalibrationGroup(9, 0.1)}))
    system.save(place / "system", {"val_PEARSON": 0.5})
    return place / "system"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system with pieces of a Unigram tokenizer; not to be changed."""
    return system_on("xlm-roberta", tmp_path_factory.mktemp("trim"))


def pieces_of(path: Path) -> list[str]:
    content = json.loads((path / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))
    return [piece for piece, _ in content["model"]["vocab"]]


def needed(pieces: list[str]) -> list[str]:
    """Special pieces and single characters."""
    return [piece for piece in pieces if len(piece.replace("\u2581", "")) <= 1 or piece.startswith("<")]


def test_an_export_is_trimmed_too(system: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("\n".join(ROW.values()) + "\n", encoding="utf-8")
    exported = export(system, tmp_path / "exported").path
    n_pieces = len(pieces_of(system)) - 1
    assert trim(exported, tmp_path / "small", [tmp_path / "text"], n_pieces).n_pieces == n_pieces
    assert len(pieces_of(tmp_path / "small")) == n_pieces


def test_text_with_its_pieces_is_read_as_before(system: Path, tmp_path: Path) -> None:
    before = pieces_of(system)
    encode = QESystem.load(system).collate.pieces.encode
    used = {before[index] for text in ROW.values() for word in encode(text.split()) for index in word}
    n_pieces = len({*needed(before), *used})
    assert n_pieces < len(before)
    (tmp_path / "text").write_text("\n".join(ROW.values()) + "\n", encoding="utf-8")
    arguments = ["trim", str(system), str(tmp_path / "small"), str(tmp_path / "text"), "--vocabulary", str(n_pieces)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert f"{n_pieces} of {len(before)} pieces; 0 of 2 segments have other pieces than before" in done.output
    after = pieces_of(tmp_path / "small")
    assert after == [piece for piece in before if piece in after]
    assert len(after) == n_pieces
    assert {*needed(before), *used} == {*after}
    old, new = (QESystem.load(path).eval() for path in (system, tmp_path / "small"))
    assert new.encoder.body.get_input_embeddings().weight.shape[0] == n_pieces
    assert new.metrics == {}  # those of the original are not its own
    assert (old.data_info.intervals is None, new.data_info.intervals) == (False, None)
    with torch.inference_mode():
        expected, found = (each.values(as_tensors(each.collate([ROW, ROW]))) for each in (old, new))
    for name, values in expected.items():
        assert torch.equal(found[name], values), name
    assert new.collate.pieces.mask_id == after.index("<mask>")


def test_other_text_has_smaller_pieces(system: Path, tmp_path: Path) -> None:
    before = pieces_of(system)
    kept = needed(before)
    (tmp_path / "text").write_text("\n".join(TEXT) + "\n", encoding="utf-8")
    trimmed = trim(system, tmp_path / "small", [tmp_path / "text"], len(kept))
    assert 0 < trimmed.n_changed <= trimmed.n_segments == len(TEXT)
    assert pieces_of(tmp_path / "small") == kept
    pieces = QESystem.load(tmp_path / "small").collate.pieces
    assert all(pieces.unknown_id not in word for line in TEXT for word in pieces.encode(line.split()))


@pytest.mark.parametrize("n_pieces", [5, 10_000])
def test_too_few_or_too_many_pieces(n_pieces: int, system: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=rf"--vocabulary: found {n_pieces}; expected from \d+ .* to {len(pieces_of(system))}"
    ):
        trim(system, tmp_path / "small", [tmp_path / "text"], n_pieces)
    assert not (tmp_path / "small").exists()


def test_other_systems_are_refused(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="is a NuQE, which has no pieces"):
        trim(trained.path, tmp_path / "small", [tmp_path / "text"], 50)
    with pytest.raises(ConfigError, match="found a tokenizer of type WordPiece; only Unigram can be trimmed"):
        trim(system_on("bert", tmp_path / "bert"), tmp_path / "small", [tmp_path / "text"], 50)
