import gzip

import numpy as np
import pytest

from kiwi.data.text.embeddings import PretrainedEmbeddingsConfig, embedding_words, load_embeddings, read_embeddings
from kiwi.exceptions import ConfigError, DataError

EXPECTED = {"a": [1.0, -2.5, 0.0], "b\u00fc": [0.5, 10.0, 1e-3]}


def binary(entries, after=b"", count=None, dim=3):
    rows = [word.encode() + b" " + np.array(row, dtype="<f4").tobytes() + after for word, row in entries.items()]
    return f"{len(rows) if count is None else count} {dim}\n".encode() + b"".join(rows)


TEXT = "a 1 -2.5 0\nb\u00fc 0.5 1e1 0.001\n".encode()


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("word2vec", b"2 3\n" + TEXT),
        ("word2vec", b"2 3\r\n" + TEXT.replace(b"\n", b"\r\n")),
        ("word2vec", binary(EXPECTED)),
        ("word2vec", binary(EXPECTED, after=b"\n")),
        ("fasttext", b"2 3\n" + TEXT.replace(b"\n", b" \n")),
        ("glove", TEXT),
        ("glove", TEXT.removesuffix(b"\n")),
        ("text", TEXT),
        ("text", TEXT.replace(b"\n", b"\r\n")),
        ("text", b"\xef\xbb\xbf" + TEXT),
        ("fasttext", b"\xef\xbb\xbf2 3\n" + TEXT),
        ("word2vec", gzip.compress(binary(EXPECTED), mtime=0)),
        ("glove", gzip.compress(TEXT, mtime=0)),
    ],
)
def test_formats(tmp_path, form, content):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    found = dict(read_embeddings(path, form))
    assert list(found) == list(EXPECTED)
    for word, vector in found.items():
        assert vector.dtype == np.float32
        np.testing.assert_array_equal(vector, np.float32(EXPECTED[word]))


@pytest.mark.parametrize("word", ["0", "12", "a\u00a0b", "\u2028", "x\u0085y", "</s>"])
@pytest.mark.parametrize("row", [[0.0, 0.0], [1.0, 1.0], np.frombuffer(b"\n\n \n 1\n\n", dtype="<f4").tolist()])
def test_binary_vectors_are_recognised_whatever_their_bytes(tmp_path, word, row):
    path = tmp_path / "vectors"
    path.write_bytes(binary({word: row, "next": [2.0, 3.0]}, after=b"\n", dim=2))
    found = [(word, vector.tolist()) for word, vector in read_embeddings(path, "word2vec")]
    assert found == [(word, row), ("next", [2.0, 3.0])]


@pytest.mark.parametrize("n_bytes", [58, 98])
def test_words_that_word2vec_has_cut_are_read(tmp_path, n_bytes):
    path = tmp_path / "vectors"
    content = binary({"b" + "\u00fc" * n_bytes: [1.0, 2.0]}, dim=2)
    path.write_bytes(content.replace("\u00fc".encode() * n_bytes, ("\u00fc".encode() * n_bytes)[: n_bytes - 1]))
    ((word, _),) = read_embeddings(path, "word2vec")
    assert word == "b" + "\u00fc" * (n_bytes // 2 - 1) + "\ufffd"


@pytest.mark.parametrize("form", ["glove", "text", "word2vec"])
def test_a_word_may_hold_spaces(tmp_path, form):
    path = tmp_path / "vectors"
    header = "4 2\n" if form == "word2vec" else ""
    content = f"{header}the 1 2\n. . . 3 4\nat name@domain.com 5 6\na\u00a0b\u2028 7 8\n"
    path.write_text(content, encoding="utf-8", newline="\n")
    found = {word: vector.tolist() for word, vector in read_embeddings(path, form)}
    assert found == {"the": [1, 2], ". . .": [3, 4], "at name@domain.com": [5, 6], "a\u00a0b\u2028": [7, 8]}


WIDE = {"a": [0.1] * 4, "be": [0.1] * 4}
"""Words with four values, which have no NUL bytes."""

NAN = {"a": [1.0, 2.0, 3.0], "b": [1.0, float("nan"), 3.0]}


@pytest.mark.parametrize(
    ("form", "name", "content", "parts"),
    [
        ("word2vec", "v.txt", TEXT, ["line 1", "expected two counts", "format: text"]),
        ("fasttext", "v.vec", TEXT, ["line 1", "expected two counts", "format: text"]),
        ("fasttext", "v.bin", b"\xba\x16\x4f\x2f\x00 \n", ["line 1", "expected two counts", ".vec"]),
        ("word2vec", "v.txt", b"", ["line 1", "expected two counts"]),
        ("word2vec", "v.txt", b"2 3\na 1 2 3\nb 1 2\n", ["line 3", "expected a word and"]),
        ("fasttext", "v.txt", b"2 3\na 1 2\nb 1 2 3\n", ["line 2", "expected a word and"]),
        ("fasttext", "v.txt", b"2 3\na 1 2 3\nb 1 x 3\n", ["line 3", "'x'", "expected a word and its values"]),
        ("fasttext", "v.txt", b"2 3\na 1 2 3\nb 1 nan 3\n", ["line 3", "expected a word and 3 finite values"]),
        ("fasttext", "v.txt", b"2 3\na 1 2 3\nb\xfc 1 2 3\n", ["line 3", "byte 0xfc", "UTF-8"]),
        ("glove", "v.txt", b"a 1 2 3\nb 1 2\n", ["line 2", "expected a word and"]),
        ("text", "v.txt", b"a 1 2 3\nb 1 inf 3\n", ["line 2", "expected a word and 3 finite values"]),
        ("text", "v.txt", b"a 1 2 3\n\nb 1 2 3\n", ["line 2", "expected a word and"]),
        ("text", "v.txt", b"a\nb\n", ["line 1", "expected a word and"]),
        ("word2vec", "v.bin", binary(EXPECTED)[:-1], ["end of the file in word 2", "expected 2 words"]),
        ("word2vec", "v.bin", binary(EXPECTED, count=3), ["end of the file in word 3", "expected 3 words"]),
        ("word2vec", "v.bin", binary(EXPECTED, count=1), ["more bytes after word 1", "says 1 words of 3 values"]),
        ("word2vec", "v.bin", binary(EXPECTED) + b"\n\n", ["more bytes after word 2"]),
        (
            "word2vec",
            "v.bin",
            binary(WIDE, after=b"\n", dim=3),
            ["word 2: found b'\\xcd\\xcc\\xcc=\\nbe'", "says 2 words of 3"],
        ),
        ("word2vec", "v.bin", binary(WIDE, dim=3), ["word 2: found b'\\xcd\\xcc\\xcc=be'", "UTF-8"]),
        ("word2vec", "v.bin", binary({"a": [1, 2, 3], "b\0": [1, 2, 3]}), ["word 2: found b'b\\x00'", "NUL bytes"]),
        ("word2vec", "v.bin", binary(EXPECTED).replace(b"\xc3\xbc", b"\xfc"), ["word 2: found b'b\\xfc'", "UTF-8"]),
        ("word2vec", "v.bin", binary(NAN), ["finite"]),
        ("word2vec", "v.txt", b"2 3\na 0,1 2 3\nb 1 2 3\n", ["line 2: found '0,1'; expected a word and its values"]),
        ("word2vec", "v.txt", b"2 3\na 0x1p3 2 3\nb 0x1p3 2 3\n", ["line 2: found '0x1p3'"]),
        ("word2vec", "v.txt", b"2 3\na 1 2\nb 1 2 3\n", ["line 2: found 'a'"]),
        ("word2vec", "v.txt", b"2 3\na\xfc 1 2 x\nb 1 2 3\n", ["line 2: found byte 0xfc"]),
        ("word2vec", "v.txt", b"2 3\na 1 2 \x003\nb 1 2 3\n", ["line 2: found a NUL byte"]),
        ("word2vec", "v.txt", b"2 3\n", ["found 0 words; expected 2"]),
        ("word2vec", "v.txt", b"2 3\na_b 1 1_0 3\nb 1 2 3\n", ["line 2: found '1_0'; expected a word and its values"]),
        ("text", "v.txt", "a 1 2\nb 1 \u0663\n".encode(), ["line 2: found '\u0663'; expected a word and its values"]),
        (
            "text",
            "v.txt",
            b"a 1 2\nb 1 1e39\n",
            ["line 2: found '1e39'; expected a word and 2 finite values in"],
        ),
        ("text", "v.txt", b"a 1 2\nb nan 2\n", ["line 2: found 'nan'; expected a word and 2 finite values"]),
        ("word2vec", "v.txt", b"3 3\n" + TEXT, ["2 words", "expected 3"]),
        ("fasttext", "v.vec", b"3 3\n" + TEXT, ["2 words", "expected 3"]),
        ("word2vec", "v.bin", b"1 1000000000000\nBAD" + b"9" * 5000, ["line 1", "1000000000000", "1 to 100000"]),
        ("word2vec", "v.bin", b"2 3" + b"9" * 50_000, ["line 1", "two counts"]),
        ("fasttext", "v.vec", b"2 3" + b"9" * 50_000, ["line 1", "two counts"]),
        ("fasttext", "v.vec", b"2 0\na\nb\n", ["line 1", "1 to 100000"]),
        ("word2vec", "v.bin", b"2 3\n" + b"\xff" * 20_000, ["word 1", "found no space in 10000 bytes"]),
        ("text", "v.txt", b"1\n2\n", ["line 1", "expected a word and 1 finite values"]),
        ("text", "v.txt", b"a 1 2\nb\0 1 2\n", ["line 2", "NUL byte"]),
        ("text", "v.txt", TEXT.decode().encode("utf-16"), ["iconv -f UTF-16"]),
        ("fasttext", "v.vec", ("2 3\n" + TEXT.decode()).encode("utf-16"), ["iconv -f UTF-16"]),
        ("glove", "v.txt.gz", gzip.compress(TEXT, mtime=0)[:-6], ["damaged or incomplete"]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_damaged_files_are_refused(tmp_path, form, name, content, parts):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_embeddings(path, form))
    assert [part for part in (str(path), *parts) if part not in str(caught.value)] == []


def config(path, **options):
    return PretrainedEmbeddingsConfig.from_dict({"source": str(path), "format": "text"} | options)


def test_embedding_words(tmp_path):
    path = tmp_path / "vectors"
    path.write_bytes(TEXT)
    assert embedding_words(config(path), "source") == {"a", "b\u00fc"}
    assert embedding_words(config(path), "target") == set()


def test_load_embeddings_finds_the_entries_of_a_vocabulary(tmp_path):
    path = tmp_path / "vectors"
    path.write_bytes(b"b 1 2\nz 3 4\na 5 6\nb 7 8\n")
    indices, vectors = load_embeddings(config(path), "source", {"a": 4, "b": 9, "c": 5}, 2)
    assert (indices.dtype, vectors.dtype) == (np.int64, np.float32)
    assert dict(zip(indices.tolist(), vectors.tolist(), strict=True)) == {9: [1, 2], 4: [5, 6]}


@pytest.mark.parametrize("field", ["source", "target"])
def test_load_embeddings_that_has_none(tmp_path, field):
    path = tmp_path / "vectors"
    path.write_bytes(b"b 1 2\n")
    indices, vectors = load_embeddings(config(path), field, {"a": 4}, 2)
    assert (indices.shape, indices.dtype) == ((0,), np.int64)
    assert (vectors.shape, vectors.dtype) == ((0, 2), np.float32)


def test_vectors_of_another_dimension_are_refused(tmp_path):
    path = tmp_path / "vectors"
    path.write_bytes(b"b 1 2\n")
    with pytest.raises(DataError) as caught:
        load_embeddings(config(path), "source", {"b": 4}, 3)
    parts = [str(path), "found vectors of 2 values", "expected 3", "system.model.encoder.embeddings.source.dim=2"]
    assert [part for part in parts if part not in str(caught.value)] == []


@pytest.mark.parametrize("options", [{"format": "polyglot"}, {}])
def test_pickles_are_refused_with_the_way_to_convert_them(tmp_path, options):
    assert PretrainedEmbeddingsConfig.from_dict(options).file("source") is None
    (tmp_path / "vectors").write_bytes(b"")
    with pytest.raises(ConfigError) as caught:
        PretrainedEmbeddingsConfig.from_dict({"source": str(tmp_path / "vectors"), **options})
    assert [part for part in ("format:", "pickle", "format: text") if part not in str(caught.value)] == []


def test_configuration_errors(tmp_path):
    with pytest.raises(ConfigError, match=r"(?s)source: .*format: .*'glov'"):
        PretrainedEmbeddingsConfig.from_dict({"source": str(tmp_path / "missing"), "format": "glov"})
