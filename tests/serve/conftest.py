"""Systems that are served; random weights are enough."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kiwi import PredictOptions
from kiwi.lib.inspect import set_score_of
from kiwi.serve.keys import Key, hash_key
from kiwi.serve.options import Limits, ServeOptions
from kiwi.systems.qe_system import QESystem
from tests.conftest import Corpus
from tests.serve.running import ADMIN, SLOW, Server

SIDE = {"source": {"dim": 5}, "target": {"dim": 4}}
MODEL = {
    "encoder": {"hidden_size": 6, "rnn_layers": 1, "embeddings": SIDE},
    "decoder": {"hidden_size": 5},
    "outputs": {"word_level": {"target": True}, "sentence_level": {"hter": True, "use_distribution": True}},
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
def server(system: Path, text_system: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    feedback = tmp_path_factory.mktemp("feedback")
    keys = (
        Key(name="admin", sha256=hash_key(ADMIN), admin=True),
        Key(name="slow", sha256=hash_key(SLOW), rate=2),
    )
    limits = Limits(max_bytes=20_000, max_segments=12, max_tokens=500, timeout=5, max_file_bytes=5000, max_jobs=3)
    models = {"tiny": str(system), "twin": str(system), "text": str(text_system)}
    content = {
        **{"format": 1, "acceptable": "hter <= 0.1", "risk": 0.1, "confidence": 0.95},
        **{"model": hashlib.sha256((text_system / "SHA256SUMS").read_bytes()).hexdigest()},
        **{"score": {"kind": "hter", "higher_is_better": False, "range": [0, 1]}, "groups": {"": {"threshold": 0.0}}},
    }
    policy = tmp_path_factory.mktemp("policies") / "safe.json"
    policy.write_text(json.dumps(content), encoding="utf-8")
    options = ServeOptions(
        models, {"safe": policy}, PredictOptions(align=False), keys=keys, limits=limits, feedback=feedback
    )
    started = Server(options, tmp_path_factory.mktemp("files"))
    yield started
    started.close()
