from __future__ import annotations

from typing import Any

import pytest
import torch

from kiwi.data.batch import QEBatch
from kiwi.exceptions import ConfigError
from kiwi.systems.decoders.nuqe import NuQEDecoder
from kiwi.systems.features import Features, FeatureSizes

SIDE = {"hidden_sizes": [12, 8, 6, 4], "dropout": 0.5}


def decoder(source: int | None = 5) -> NuQEDecoder:
    torch.manual_seed(3)
    config = NuQEDecoder.Config.from_dict({"target": SIDE, "source": {**SIDE, "hidden_sizes": [7, 6, 5, 3]}})
    return NuQEDecoder.build(config, FeatureSizes(target=10, source=source)).eval()


def batch(*lengths: tuple[int, int]) -> QEBatch[torch.Tensor]:
    """Of segments of so many source and target words."""
    sides: dict[str, torch.Tensor] = {}
    for name, counts in zip(("source", "target"), zip(*lengths, strict=True), strict=True):
        mask = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
        sides |= {name: mask.long(), f"{name}_mask": mask}
    return QEBatch(**sides)


def some_features(words: QEBatch[torch.Tensor], *, source: bool = True) -> Features:
    torch.manual_seed(4)
    target = torch.randn(*words.target.shape, 10)
    return Features(target=target, source=torch.randn(*words.source.shape, 5) if source else None)


def test_sizes_are_the_last_of_each_side() -> None:
    assert decoder().sizes == FeatureSizes(target=4, source=3, sentence=7)
    assert decoder(source=None).sizes == FeatureSizes(target=4, source=None, sentence=4)


def test_shapes_zeros_in_padding_and_the_sentence_as_means() -> None:
    words = batch((2, 3), (4, 1))
    with torch.no_grad():
        found = decoder()(some_features(words), words)
    assert found.target.shape == (2, 3, 4)
    assert found.source.shape == (2, 4, 3)
    assert not found.target[1, 1:].any()
    assert not found.source[0, 2:].any()
    expected = [
        torch.cat([found.target[0].mean(0), found.source[0, :2].mean(0)]),
        torch.cat([found.target[1, 0], found.source[1].mean(0)]),
    ]
    torch.testing.assert_close(found.sentence, torch.stack(expected))


def test_the_target_alone() -> None:
    words = batch((2, 3))
    found = decoder(source=None)(some_features(words, source=False), words)
    assert found.source is None
    torch.testing.assert_close(found.sentence, found.target.mean(1))


def test_padding_changes_nothing() -> None:
    words = batch((2, 3), (4, 6))
    features = some_features(words)
    short = batch((2, 3))
    with torch.no_grad():
        both = decoder()(features, words)
        alone = decoder()(Features(target=features.target[:1, :3], source=features.source[:1, :2]), short)
    torch.testing.assert_close(both.target[:1, :3], alone.target)
    torch.testing.assert_close(both.source[:1, :2], alone.source)
    torch.testing.assert_close(both.sentence[:1], alone.sentence)


def test_a_word_knows_its_neighbours() -> None:
    words = batch((1, 4))
    features = some_features(words)
    other = features.target.clone()
    other[0, 3] += 10.0
    with torch.no_grad():
        before = decoder()(features, words).target[0, 0]
        after = decoder()(Features(target=other, source=features.source), words).target[0, 0]
    assert not torch.equal(before, after)


def test_dropout_only_in_training() -> None:
    words = batch((3, 3))
    features, module = some_features(words), decoder()
    assert torch.equal(module(features, words).target, module(features, words).target)
    module.train()
    assert not torch.equal(module(features, words).target, module(features, words).target)


def test_every_weight_learns() -> None:
    words = batch((3, 4), (2, 5), (5, 2))
    module = decoder()
    found = module(some_features(words), words)
    (found.target.pow(2).sum() + found.source.pow(2).sum()).backward()
    still = [name for name, weight in module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": {"hidden_sizes": [4, 3, 2]}}, "target.hidden_sizes"),
        ({"target": {"hidden_sizes": [5, 4, 3, 2, 1]}}, "target.hidden_sizes"),
        ({"source": {"hidden_sizes": [4, 3, 2, 0]}}, "source.hidden_sizes"),
        ({"source": {"dropout": -0.1}}, "source.dropout"),
        ({"sauce": {}}, "sauce: unknown key; did you mean 'source'?"),
    ],
)
def test_configuration_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        NuQEDecoder.Config.from_dict(options)
    assert message in str(error.value)


def test_defaults() -> None:
    side = {"hidden_sizes": [400, 200, 100, 50], "dropout": 0.4}
    assert NuQEDecoder.Config().model_dump() == {"target": side, "source": side}
