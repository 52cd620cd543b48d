"""Windows and aligned means, worked by hand. Source words have the embeddings 4, 5, 6 (<bos> 2, <eos> 3), target
words ten times that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from kiwi.data.collate import Collate
from kiwi.data.text.vocabulary import Vocabulary
from kiwi.exceptions import ConfigError
from kiwi.systems.batching import as_tensors
from kiwi.systems.encoders import quetch
from kiwi.systems.encoders.quetch import QUETCHEncoder
from kiwi.systems.features import Features

Vocabularies = Mapping[str, Vocabulary]

WINDOWS = {
    1: [[4], [5], [6]],
    2: [[4, 5], [5, 6], [6, 3]],
    3: [[2, 4, 5], [4, 5, 6], [5, 6, 3]],
    5: [[2, 2, 4, 5, 6], [2, 4, 5, 6, 3], [4, 5, 6, 3, 3]],
}


def encoder(vocabularies: Vocabularies, *, with_source: bool = True, **options: Any) -> QUETCHEncoder:
    options.setdefault("embeddings", {"source": {"dim": 1}, "target": {"dim": 1}})
    config = QUETCHEncoder.Config.from_dict(options)
    module = QUETCHEncoder.build(config, vocabularies, with_source=with_source)
    with torch.no_grad():
        for field, layer in module.embeddings.items():
            indices = torch.arange(float(len(vocabularies[field])))[:, None]
            factor = {"source": 1, "target": 10, "source_pos": 100, "target_pos": 1000}[field]
            layer.tokens.weight.copy_(factor * indices.expand(-1, layer.dim))
    return module


def features(module: QUETCHEncoder, vocabularies: Vocabularies, *rows: tuple[str, str, str]) -> Features:
    """Of rows of source, target and alignments."""
    fields = [dict(zip(("source", "target", "alignments"), row, strict=True)) for row in rows]
    with torch.no_grad():
        result: Features = module(as_tensors(Collate(vocabularies)(fields)))
    return result


@pytest.mark.parametrize("size", WINDOWS)
def test_windows_and_means_of_aligned_windows(size: int, abc_vocabularies: Vocabularies) -> None:
    module = encoder(abc_vocabularies, window_size=size)
    found = features(module, abc_vocabularies, ("a b c", "x y z", "0-0 1-0 2-2"))
    source = torch.tensor(WINDOWS[size], dtype=torch.float32)
    target = 10 * source
    unaligned_target, unaligned_source = module.unaligned_target_word.detach(), module.unaligned_source_word
    assert unaligned_source is not None
    # x is aligned to a and b, y to nothing, z to c.
    expected = torch.cat([target, torch.stack([(source[0] + source[1]) / 2, unaligned_target, source[2]])], dim=1)
    torch.testing.assert_close(found.target[0], expected)
    # a and b are both aligned to x, c to z.
    expected = torch.cat([source, torch.stack([target[0], target[0], target[2]])], dim=1)
    assert found.source is not None
    torch.testing.assert_close(found.source[0], expected)
    assert module.sizes.target == module.sizes.source == 2 * size


@pytest.mark.parametrize("largest", [1, 14, 21])
def test_long_segments_are_processed_in_blocks(
    largest: int, abc_vocabularies: Vocabularies, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = encoder(abc_vocabularies)
    rows = ("a b c a b", "x y z x y z x", "0-0 1-0 2-2 4-6 0-6 3-4"), ("a b", "x", "1-0")
    expected = features(module, abc_vocabularies, *rows)
    n_blocks: list[int] = []
    compute = quetch._means_of_block
    monkeypatch.setattr(quetch, "_means_of_block", lambda *given: n_blocks.append(given[1]) or compute(*given))
    monkeypatch.setattr(quetch, "LARGEST_MATRIX", largest)
    found = features(module, abc_vocabularies, *rows)
    assert len(n_blocks) > 2, "blocks on each side"
    assert sum(n_blocks) == 7 + 5
    torch.testing.assert_close(found.target, expected.target)
    torch.testing.assert_close(found.source, expected.source)


def test_one_worked_by_hand_in_figures(abc_vocabularies: Vocabularies) -> None:
    module = encoder(abc_vocabularies, window_size=3)
    found = features(module, abc_vocabularies, ("a b c", "x y z", "0-0 1-0 2-2 2-1"))
    assert found.target[0].tolist() == [
        [20, 40, 50, 3.0, 4.5, 5.5],
        [40, 50, 60, 5.0, 6.0, 3.0],
        [50, 60, 30, 5.0, 6.0, 3.0],
    ]
    assert found.source is not None
    assert found.source[0, 2].tolist() == [5, 6, 3, 45, 55, 45]


def test_the_vector_of_unaligned_words_is_learned(abc_vocabularies: Vocabularies) -> None:
    module = encoder(abc_vocabularies, window_size=1)
    found = module(as_tensors(Collate(abc_vocabularies)([{"source": "a", "target": "x y", "alignments": "0-1"}])))
    found.target.sum().backward()
    assert module.unaligned_target_word.grad is not None
    assert module.unaligned_target_word.grad.tolist() == [1.0]


def test_no_alignment_at_all(abc_vocabularies: Vocabularies) -> None:
    module = encoder(abc_vocabularies, window_size=1)
    found = features(module, abc_vocabularies, ("a b", "x y", ""))
    filler = module.unaligned_target_word.item()
    torch.testing.assert_close(found.target[0], torch.tensor([[40, filler], [50, filler]]))


def test_a_pair_that_stands_twice_counts_once(abc_vocabularies: Vocabularies) -> None:
    module = encoder(abc_vocabularies, window_size=1)
    found = features(module, abc_vocabularies, ("a b", "x", "0-0 0-0 1-0"))
    assert found.target[0].tolist() == [[40, 4.5]]


def test_unknown_words_share_a_vector(abc_vocabularies: Vocabularies) -> None:
    module = encoder(abc_vocabularies, window_size=1)
    assert features(module, abc_vocabularies, ("q a", "x", "0-0")).target[0].tolist() == [[40, 1]]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_segment_is_the_same_beside_longer_ones(size: int, abc_vocabularies: Vocabularies) -> None:
    options = {"dim": 2, "use_position_embeddings": True, "max_position_embeddings": 4}
    module = encoder(abc_vocabularies, window_size=size, embeddings={"source": options, "target": options})
    short, long = ("c", "x z", "0-0"), ("a b c b a", "y y x y z x", "0-0 4-5 3-2")
    alone, both = features(module, abc_vocabularies, short), features(module, abc_vocabularies, long, short)
    assert alone.source is not None
    assert both.source is not None
    torch.testing.assert_close(both.target[1, :2], alone.target[0])
    torch.testing.assert_close(both.source[1, :1], alone.source[0])
    assert not both.target[1, 2:].any()
    assert not both.source[1, 1:].any()


def test_part_of_speech_stands_beside_each_word(abc_vocabularies: Vocabularies) -> None:
    vocabularies = {**abc_vocabularies, "target_pos": Vocabulary.of(["V"])}
    fields = {"source": {"dim": 1}, "target": {"dim": 1}, "target_pos": {"dim": 2}}
    module = encoder(vocabularies, window_size=2, embeddings=fields, with_source=False)
    row = {"source": "a", "target": "x y", "target_pos": "V V", "alignments": "0-1"}
    with torch.no_grad():
        found = module(as_tensors(Collate(vocabularies)([row])))
    assert found.target[0, 1].tolist() == [50, 4000, 4000, 30, 3000, 3000, 4, 3]
    assert module.sizes.target == 2 * (1 + 2) + 2 * 1


def test_no_source_features_unless_asked(abc_vocabularies: Vocabularies) -> None:
    module = encoder(abc_vocabularies, with_source=False)
    assert features(module, abc_vocabularies, ("a", "x", "0-0")).source is None
    assert module.sizes.source is None
    assert module.unaligned_source_word is None


@pytest.mark.parametrize(
    ("embeddings", "fields"),
    [
        ({}, ["source", "target", "alignments"]),
        ({"source_pos": {}}, ["source", "target", "source_pos", "alignments"]),
        ({"target_pos": {"dim": 3}}, ["source", "target", "target_pos", "alignments"]),
    ],
)
def test_fields_that_it_reads(embeddings: dict[str, Any], fields: list[str]) -> None:
    config = QUETCHEncoder.Config.from_dict({"embeddings": embeddings})
    assert sorted(QUETCHEncoder.input_fields(config)) == sorted(fields)


def test_defaults() -> None:
    config = QUETCHEncoder.Config.from_dict({"embeddings": {}})
    assert config.window_size == 3
    assert config.embeddings.source.model_dump() == {
        "dim": 50,
        "freeze": False,
        "dropout": 0.0,
        "use_position_embeddings": False,
        "max_position_embeddings": 4000,
        "sparse_embeddings": False,
        "scale_embeddings": False,
        "input_layer_norm": False,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "embeddings: required, but not given"),
        ({"embeddings": {}, "window_size": 0}, "window_size"),
        ({"embeddings": {"source": {"dim": 0}}}, "embeddings.source.dim"),
        ({"embeddings": {"source": {"dropout": 1.0}}}, "embeddings.source.dropout"),
        ({"embeddings": {"sources": {}}}, "embeddings.sources: unknown key; did you mean 'source'?"),
        ({"embeddings": {"source": {"freze": True}}}, "embeddings.source.freze: unknown key; did you mean 'freeze'?"),
    ],
)
def test_configuration_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        QUETCHEncoder.Config.from_dict(options)
    assert message in str(error.value)
