import json

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE

from kiwi.data.text.vocabulary import (
    BEGIN_INDEX,
    END_INDEX,
    PAD_INDEX,
    SPECIALS,
    UNKNOWN_INDEX,
    DataProcessingConfig,
    Vocabulary,
    build_vocabularies,
    load_vocabularies,
    save_vocabularies,
)
from kiwi.exceptions import CheckpointError, ConfigError

# c 4, a 3, b 3, \u00e9 1, B 1, d 1
LINES = ["c b a c", "a b c", "", "b a\tc", "d \u00e9 B"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["c", "a", "b", "B", "d", "\u00e9"]),
        ({"min_frequency": 2}, ["c", "a", "b"]),
        ({"min_frequency": 4}, ["c"]),
        ({"min_frequency": 5}, []),
        ({"max_size": 4}, ["c", "a", "b", "B"]),
        ({"max_size": 1}, ["c"]),
        ({"max_size": 50}, ["c", "a", "b", "B", "d", "\u00e9"]),
        ({"max_size": 2, "min_frequency": 4}, ["c"]),
        ({"min_frequency": 2, "keep": ["\u00e9", "d", "zebra", "c"]}, ["c", "a", "b", "d", "\u00e9"]),
        ({"max_size": 1, "keep": {"d"}}, ["c", "d"]),
        ({"min_frequency": 4, "add": ["zebra", "apple", "c"]}, ["c", "apple", "zebra"]),
        ({"min_frequency": 4, "keep": ["d"], "add": ["apple", "d"]}, ["c", "d", "apple"]),
    ],
)
def test_entries_are_the_most_frequent_words_ties_in_code_point_order(options, expected):
    vocabulary = Vocabulary.build(LINES, **options)
    assert vocabulary.entries == [*SPECIALS, *expected]
    assert len(vocabulary) == 4 + len(expected)


def test_special_entries_come_first():
    assert SPECIALS == ("<pad>", "<unk>", "<bos>", "<eos>")
    assert (PAD_INDEX, UNKNOWN_INDEX, BEGIN_INDEX, END_INDEX) == (0, 1, 2, 3)
    assert Vocabulary.build(["a <eos> <eos> <pad> <unk> a"]).entries == [*SPECIALS, "a"]
    assert Vocabulary.of(["b", "<unk>", "a", "b"]).entries == [*SPECIALS, "b", "a"]


def test_words_are_taken_as_they_are():
    vocabulary = Vocabulary.build(["New\u00a0York new\u2028york NEW a\u0085b"])
    assert set(vocabulary.entries[4:]) == {"New\u00a0York", "new\u2028york", "NEW", "a\u0085b"}


def test_encode():
    vocabulary = Vocabulary.of(["a", "b"])
    assert vocabulary.encode(["b", "a", "A", "<eos>", "b"]) == [5, 4, 1, 3, 5]
    assert vocabulary.encode([]) == []
    assert "a" in vocabulary
    assert "A" not in vocabulary


def test_vocabularies_are_equal_when_their_entries_are():
    assert Vocabulary.of(["a", "b"]) == Vocabulary.of(["a", "b"])
    assert Vocabulary.of(["a", "b"]) != Vocabulary.of(["b", "a"])
    assert Vocabulary.of(["a"]) != ["a"]


COLUMNS = {
    "source": ["s s s x", "x t"],
    "target": ["u u u x", "x v"],
    "post_edit": ["u w", "w"],
    "source_pos": ["N N N V", "V A"],
    "target_pos": ["N N N V", "V A"],
}


def built(options, fields=("source", "target", "post_edit", "source_pos", "target_pos")):
    vocabularies = build_vocabularies(COLUMNS, fields, DataProcessingConfig.from_dict(options))
    assert list(vocabularies) == list(fields) or set(vocabularies) == set(fields)
    return {field: vocabulary.entries[4:] for field, vocabulary in vocabularies.items()}


@pytest.mark.parametrize(
    ("vocab", "expected"),
    [
        ({}, {"source": ["s", "x", "t"], "target": ["u", "x", "v"], "post_edit": ["w", "u"]}),
        ({"min_frequency": 2}, {"source": ["s", "x"], "target": ["u", "x"], "post_edit": ["w"]}),
        ({"min_frequency": {"source": 3}}, {"source": ["s"], "target": ["u", "x", "v"], "source_pos": ["N"]}),
        ({"min_frequency": {"target": 2}}, {"source": ["s", "x", "t"], "target": ["u", "x"], "post_edit": ["w"]}),
        ({"min_frequency": {"source": 2, "target": 3}}, {"source": ["s", "x"], "target": ["u"], "post_edit": []}),
        ({"max_size": 1}, {"source": ["s"], "target": ["u"], "post_edit": ["w"], "source_pos": ["N"]}),
        ({"max_size": {"source": 1}}, {"source": ["s"], "target": ["u", "x", "v"], "post_edit": ["w", "u"]}),
        ({"max_size": {"target": 1}}, {"source": ["s", "x", "t"], "target": ["u"], "target_pos": ["N"]}),
    ],
)
def test_one_value_or_one_for_each_side(vocab, expected):
    entries = built({"vocab": vocab})
    assert {field: entries[field] for field in expected} == expected


def test_sharing():
    columns = ("source", "target", "source_pos")
    vocabularies = build_vocabularies(COLUMNS, columns, DataProcessingConfig(share_input_fields_encoders=True))
    assert vocabularies["source"] is vocabularies["target"]
    assert vocabularies["source"].entries[4:] == ["x", "s", "u", "t", "v"]
    assert vocabularies["source_pos"].entries[4:] == ["N", "V", "A"]
    entries = built({"share_input_fields_encoders": True})
    assert entries["source"] == entries["target"] == entries["post_edit"] == ["u", "x", "s", "w", "t", "v"]
    assert entries["source_pos"] == ["N", "V", "A"]


def embeddings(path, *entries):
    path.write_text("".join(f"{entry} 0.5 0.5\n" for entry in entries), encoding="utf-8")
    return str(path)


def with_embeddings(tmp_path, **vocab):
    source = embeddings(tmp_path / "source.txt", "t", "far")
    return {"vocab": {"min_frequency": 3, **vocab}, "embeddings": {"source": source, "format": "text"}}


@pytest.mark.parametrize(
    ("vocab", "source"),
    [
        ({}, ["s"]),
        ({"keep_rare_words_with_embeddings": True}, ["s", "t"]),
        ({"add_embeddings_vocab": True}, ["s", "far", "t"]),
        ({"keep_rare_words_with_embeddings": True, "add_embeddings_vocab": True}, ["s", "t", "far"]),
        ({"keep_rare_words_with_embeddings": True, "max_size": 1}, ["s", "t"]),
    ],
)
def test_words_with_embeddings(tmp_path, vocab, source):
    entries = built(with_embeddings(tmp_path, **vocab), ("source", "target"))
    assert entries == {"source": source, "target": ["u"]}


def test_a_shared_vocabulary_has_the_words_of_all_embeddings(tmp_path):
    options = with_embeddings(tmp_path, add_embeddings_vocab=True) | {"share_input_fields_encoders": True}
    options["embeddings"]["target"] = embeddings(tmp_path / "target.txt", "weit")
    entries = built(options, ("source", "target"))
    assert set(entries["source"]) == {"x", "s", "u", "t", "far", "weit"}


def test_words_of_embeddings_need_embeddings():
    with pytest.raises(ConfigError, match=r"vocab\.add_embeddings_vocab requires pretrained embeddings"):
        DataProcessingConfig.from_dict({"vocab": {"add_embeddings_vocab": True}})


def test_rare_words_without_embeddings_are_as_rare_as_others(caplog):
    columns = {"source": ["a b", "a"], "target": ["c", "c"]}
    config = DataProcessingConfig.from_dict({"vocab": {"keep_rare_words_with_embeddings": True, "min_frequency": 2}})
    found = build_vocabularies(columns, ["source", "target"], config)
    assert len(found["source"]) == 5
    assert "keep_rare_words_with_embeddings has no effect without embeddings" in caplog.text


@pytest.mark.parametrize("value", [0, -1, "few", {"source": 0}])
@pytest.mark.parametrize("option", ["min_frequency", "max_size"])
def test_sizes_are_positive(option, value):
    with pytest.raises(ConfigError, match=f"vocab.{option}"):
        DataProcessingConfig.from_dict({"vocab": {option: value}})


def test_round_trip(tmp_path):
    source, target = Vocabulary.build(LINES), Vocabulary.of(["\u00fc", "a\u2028b", '"', "{"])
    save_vocabularies({"source": source, "target": target}, tmp_path)
    for path in (tmp_path, tmp_path / "vocab.json"):
        loaded = load_vocabularies(path, ["target", "source"])
        assert loaded == {"source": source, "target": target}
        assert loaded["target"].encode(["{", "\u00fc", "?"]) == [7, 4, 1]
    assert list(load_vocabularies(tmp_path, ["target"])) == ["target"]
    assert Vocabulary.from_dict(source.to_dict()).entries == source.entries


def damaged(change):
    content = Vocabulary.of(["a", "b"]).to_dict()
    change(content["model"]["vocab"])
    return content


def fields(source):
    return json.dumps({"version": 1, "fields": {"source": source}})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        ("{", "not valid JSON"),
        ("[]", "not a file of vocabularies"),
        ('{"version": 1}', "not a file of vocabularies"),
        ('{"version": 1, "fields": null}', "vocabular"),
        ('{"version": 1, "fields": [1]}', "vocabular"),
        ('{"version": 2, "fields": {}}', "found version 2"),
        ('{"version": 1, "fields": {}}', "no vocabulary for 'source'"),
        ('{"version": 1, "fields": {"sources": {}}}', "did you mean 'sources'?"),
        (fields(3), "the vocabulary of 'source' is damaged"),
        (fields({}), "the vocabulary of 'source' is damaged"),
        (fields(damaged(lambda entries: entries.update({"<pad>": 1, "<unk>": 0}))), "first entries are not <pad>"),
        (fields(damaged(lambda entries: entries.pop("<eos>"))), "first entries are not <pad>"),
        (fields(damaged(lambda entries: entries.update(b=9))), "indices have gaps"),
        (fields(damaged(lambda entries: entries.update(b=4))), "indices"),
    ],
)
def test_damaged_vocabularies_are_refused(tmp_path, content, reason):
    path = tmp_path / "vocab.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError) as caught:
        load_vocabularies(path, ["source"])
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_tokenizer_of_pieces_is_no_vocabulary():
    pieces = BPE({entry: index for index, entry in enumerate([*SPECIALS, "a", "b"])}, [])
    with pytest.raises(ValueError, match="expected WordLevel"):
        Vocabulary.from_dict(json.loads(Tokenizer(pieces).to_str()))
