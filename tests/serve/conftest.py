"""Systems that are served; random weights are enough."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kiwi.lib.inspect import set_score_of
from kiwi.systems.qe_system import QESystem
from tests.conftest import Corpus
from tests.pretrained import write_model
from tests.systems.test_span_level import trained as trained_on_spans

SIDE = {"source": {"dim": 5}, "target": {"dim": 4}}
MODEL = {
    "encoder": {"hidden_size": 6, "rnn_layers": 1, "embeddings": SIDE},
    "decoder": {"hidden_size": 5},
    "outputs": {"word_level": {"target": True}, "sentence_level": {"hter": True}},
}


@pytest.fixture(scope="session")
def system(plain_system: QESystem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads alignments, predicts everything but spans; not to be changed."""
    path = tmp_path_factory.mktemp("served") / "tiny"
    plain_system.save(path)
    set_score_of(path, "kind=hter")
    return path


@pytest.fixture(scope="session")
def text_system(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads source and target only; not to be changed."""
    torch.manual_seed(3)
    config = QESystem.Config.from_dict({"class_name": "PredictorEstimator", "model": MODEL})
    columns = {name: corpus.lines("train", name) for name in ("source", "target")}
    path = tmp_path_factory.mktemp("served") / "text"
    QESystem.build(config, columns).eval().save(path)
    set_score_of(path, "kind=hter")
    return path


@pytest.fixture(scope="session")
def span_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predicts error spans; not to be changed."""
    place = tmp_path_factory.mktemp("served")
    trained_on_spans(write_model("xlm-roberta", place / "encoder"), steps=40).save(place / "spans")
    return place / "spans"
