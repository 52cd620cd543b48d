"""What is said about input that differs from the training data."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

import kiwi
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.runner.watch import InputWatch
from kiwi.systems.manifest.checkpoint import CheckpointInfo, read_checkpoint_info
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.pretrained.model import Pretrained
from tests.pretrained import write_model

TOKENIZED, RAW = "Close the bank , please .", "Close the bank, please."

CASES = {
    "raw text": ((0.97, 0.98), RAW, RAW, r"The source is not tokenized .* 0% of its commas .* 97% .* Separate words"),
    "a raw target": ((0.97, 0.98), TOKENIZED, RAW, r"The target is not tokenized .* 0% .* against 98%"),
    "tokenized text": (
        (0.02, 0.0),
        TOKENIZED,
        RAW,
        r"The source is .* 100% .* against 2% there.* without tokenization",
    ),
    "the same": ((0.97, 0.98), TOKENIZED, TOKENIZED, None),
    "raw as in training": ((0.02, 0.1), RAW, RAW, None),
    "an older checkpoint": ((None, None), RAW, RAW, None),
    "no marks": ((0.97, 0.98), "a b", "c d", None),
    "a language without spaces": ((0.0, 0.97), "我们，去了。", TOKENIZED, None),
    "a language without spaces, tokenized": ((0.0, 0.97), "我们 ， 去 了 。", TOKENIZED, "The source is not tokenized"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tokenization(case: Any, caplog: pytest.LogCaptureFixture) -> None:
    (source_share, target_share), source, target, expected = case
    watch = InputWatch(DataInfo(source_marks_alone=source_share, target_marks_alone=target_share))
    for _ in range(20):  # as kiwi score --stream does
        watch.see({"source": [source], "target": [target]})
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (expected is not None)
    assert expected is None or re.search(expected, said[0])


def test_the_training_data_is_remembered_and_used(trained: Any, corpus: Any, caplog: pytest.LogCaptureFixture) -> None:
    data = read_checkpoint_info(trained.path).data
    assert data.source_marks_alone is None or data.source_marks_alone > 0.9
    info = CheckpointInfo("NuQE", {}, data=DataInfo(source_marks_alone=0.25, target_marks_alone=1.0))
    assert CheckpointInfo.from_dict(info.to_dict()).data == info.data
    content = info.to_dict()
    del content["data"]["source_marks_alone"], content["data"]["target_marks_alone"]
    assert CheckpointInfo.from_dict(content).data == DataInfo(), "a checkpoint of an earlier version"
    runner = kiwi.load_system(trained.path)
    runner.watch = InputWatch(DataInfo(source_marks_alone=1.0, target_marks_alone=1.0))
    for _ in range(2):
        runner.predict(["a b, c."] * 10, ["a b, c."] * 10, ["0-0"] * 10)
    assert sum("not tokenized" in record.getMessage() for record in caplog.records) == 1


def test_text_that_the_encoder_does_not_know_and_very_long_segments(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pieces = PieceTokenizer(Pretrained.from_model(str(write_model("bert", tmp_path / "model"))).tokenizer, 16)
    watch = InputWatch(DataInfo(), pieces)
    watch.see({"source": ["The house ."] * 3, "target": ["Das Haus ."] * 3})
    watch.note_very_long([16, 800], {"source": ["a", "a b"], "target": ["c", "d"]})
    assert not caplog.records
    watch = InputWatch(DataInfo(), pieces)
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            watch.see({"source": ["The house ."], "target": ["ღ ღ"]})
        watch.note_very_long([16, 8000], {"source": ["a", "a b"], "target": ["c", "d e f"]})
    first, second = [record.getMessage() for record in caplog.records]
    assert "does not know 100% of the pieces of the target" in first
    assert "'d e f …' has 2 words of source and 3 of target, which the encoder reads in about 500 windows" in second
