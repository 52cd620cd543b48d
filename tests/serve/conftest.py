"""Systems that are served; random weights are enough."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kiwi import PredictOptions, load_system
from kiwi.data.labels.policy import Acceptable, GroupPolicy, Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.lib.inspect import set_score_of
from kiwi.serve.keys import Key, hash_key
from kiwi.serve.options import Limits, ServeOptions
from kiwi.systems.qe_system import QESystem
from tests.conftest import Corpus
from tests.pretrained import write_model
from tests.serve.running import ADMIN, OTHER, SLOW, Server
from tests.systems.test_span_level import trained as trained_on_spans

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
def span_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predicts error spans; not to be changed."""
    place = tmp_path_factory.mktemp("served")
    trained_on_spans(write_model("xlm-roberta", place / "encoder"), steps=40).save(place / "spans")
    return place / "spans"


@pytest.fixture(scope="session")
def policy(text_system: Path, corpus: Corpus) -> Policy:
    """Approves half of the first ten segments."""
    runner = load_system(text_system)
    scores = runner.predict(*(corpus.lines("test", name)[:10] for name in ("source", "target"))).sentence_scores
    return Policy(
        model=runner.about.sha256,
        score=ScoreMeaning("hter", False, (0.0, 1.0)),
        acceptable=Acceptable("hter", "<=", 0.1),
        risk=0.1,
        confidence=0.95,
        groups={"": GroupPolicy(sorted(scores or [])[4])},
    )


@pytest.fixture(scope="session")
def server(
    system: Path, text_system: Path, span_system: Path, policy: Policy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    feedback = tmp_path_factory.mktemp("feedback")
    keys = (
        Key(name="admin", sha256=hash_key(ADMIN), admin=True),
        Key(name="other", sha256=hash_key(OTHER)),
        Key(name="slow", sha256=hash_key(SLOW), rate=2),
    )
    limits = Limits(
        max_bytes=20_000,
        max_segments=12,
        max_tokens=500,
        timeout=5,
        max_file_bytes=5000,
        max_content_bytes=800_000,
        max_jobs=3,
    )
    models = {"tiny": str(system), "twin": str(system), "text": str(text_system), "spans": str(span_system)}
    place = tmp_path_factory.mktemp("policies")
    policies = {"safe": place / "safe.json", "strict": place / "strict.json"}
    nothing = replace(policy, groups={"": GroupPolicy(0.0)})
    for own, path in zip((nothing, policy), policies.values(), strict=True):
        path.write_text(json.dumps(own.to_dict()), encoding="utf-8")
    options = ServeOptions(models, policies, PredictOptions(align=False), keys=keys, limits=limits, feedback=feedback)
    started = Server(options, tmp_path_factory.mktemp("files"))
    yield started
    started.close()
