"""Pretrained word embeddings, read as a stream from the common file formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import FilePath, model_validator

from kiwi.exceptions import DataError
from kiwi.utils.io import BaseConfig, mistakes

EmbeddingsFormat = Literal["polyglot", "word2vec", "fasttext", "glove", "text"]

POLYGLOT_ADVICE = (
    "polyglot files are pickles, which can run arbitrary code when loaded, so kiwi does not read them. Convert a file "
    "that you trust in a separate environment: words, vectors = pickle.load(open(FILE, 'rb'), encoding='bytes'); then "
    "write a line 'word value value ...' for each word, and set format: text"
)


class PretrainedEmbeddingsConfig(BaseConfig):
    """Files of pretrained embeddings, by field."""

    source: FilePath | None = None
    """File of embeddings for source words."""

    target: FilePath | None = None
    """File of embeddings for target words."""

    post_edit: FilePath | None = None
    """File of embeddings for words of the post-edit."""

    source_pos: FilePath | None = None
    """File of embeddings for part-of-speech tags of the source."""

    target_pos: FilePath | None = None
    """File of embeddings for part-of-speech tags of the target."""

    format: EmbeddingsFormat = "polyglot"
    """Format of the files. ``word2vec`` (text or binary) and ``fasttext`` (``.vec``) start with a line of two counts;
    ``glove`` and ``text`` do not. ``polyglot``, the default of OpenKiwi 2.1, is rejected with instructions for
    conversion."""

    @model_validator(mode="after")
    def refuse_pickles(self) -> PretrainedEmbeddingsConfig:
        """Reject formats that are pickles, which are never loaded."""
        if self.format == "polyglot" and any(path is not None for name, path in self if name != "format"):
            raise mistakes("PretrainedEmbeddingsConfig", {"format": POLYGLOT_ADVICE})
        return self

    def file(self, field: str) -> Path | None:
        """Return the file of a field, if there is one."""
        path: Path | None = getattr(self, field)
        return path


def embedding_words(config: PretrainedEmbeddingsConfig, field: str) -> set[str]:
    """Return the words that have a vector in the file of a field; none without such a file.

    Raises:
        DataError: when the file is not in the configured format.
    """
    path = config.file(field)
    return {word for word, _ in read_embeddings(path, config.format)} if path else set()


def load_embeddings(
    config: PretrainedEmbeddingsConfig, field: str, indices: Mapping[str, int], dim: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Read the vectors of the words in a vocabulary.

    Args:
        config: the files of embeddings.
        field: the field whose embeddings are read.
        indices: the index of each word in the vocabulary.
        dim: the expected number of dimensions.

    Returns:
        The indices (found,) and vectors (found, dim) of the words that have one.

    Raises:
        DataError: when the file is not in the configured format, or has another number of dimensions.
    """
    path = config.file(field)
    # One array for all vectors, because one for each would fragment the memory.
    vectors = np.zeros((len(indices), dim) if path else (0, dim), dtype=np.float32)
    rows: dict[int, None] = {}
    if path:
        for word, vector in read_embeddings(path, config.format):
            if len(vector) != dim:
                raise DataError.at(
                    path,
                    None,
                    found=f"vectors of {len(vector)} values",
                    expected=f"{dim}",
                    advice=f"Set system.model.encoder.embeddings.{field}.dim={len(vector)}.",
                )
            if word in indices and indices[word] not in rows:
                vectors[len(rows)] = vector
                rows[indices[word]] = None
    return np.array(list(rows), dtype=np.int64), vectors[: len(rows)]


def read_embeddings(path: Path, format: EmbeddingsFormat) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the words and vectors of a file.

    Raises:
        DataError: when the file is not in this format; it names the line.
    """
    with path.open("rb") as file:
        header = file.readline().split()
        has_counts = len(header) == 2 and all(part.isdigit() for part in header)
        if format in ("glove", "text"):
            if has_counts:
                raise DataError.at(
                    path, 1, found="two counts", expected="a word and its values", advice="Set format: word2vec."
                )
            file.seek(0)
            yield from _text_rows(file, path, None, first_line=1)
            return
        if not has_counts:
            advice = "For a file without this line, set format: text."
            if path.suffix == ".bin":
                advice = "A .bin model of fastText is not a file of word vectors; give its .vec file instead."
            raise DataError.at(
                path, 1, found="no counts", expected="two counts, of words and of dimensions", advice=advice
            )
        count, dim = int(header[0]), int(header[1])
        start = file.tell()
        binary = format == "word2vec" and _is_binary(file, dim)
        file.seek(start)
        found = 0
        for row in _binary_rows(file, path, count, dim) if binary else _text_rows(file, path, dim, first_line=2):
            found += 1
            yield row
        if found != count:
            raise DataError.at(path, None, found=f"{found} words", expected=f"{count}, according to its first line")


def _is_binary(file: BinaryIO, dim: int) -> bool:
    line = file.readline()
    try:
        [float(value) for value in line.decode("utf-8").split()[-dim:]]
    except (UnicodeDecodeError, ValueError):
        return True
    return len(line.split()) <= dim


def _text_rows(
    file: BinaryIO, path: Path, dim: int | None, first_line: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number, raw in enumerate(file, start=first_line):
        try:
            # Split from the right, because a word may contain spaces (some in GloVe do).
            parts = raw.decode("utf-8").rstrip("\r\n ").split(" ")
            dim = dim or len(parts) - 1
            word, values = " ".join(parts[:-dim]), parts[-dim:]
            vector = np.array(values, dtype=np.float32)
        except (UnicodeDecodeError, ValueError) as error:
            raise DataError.at(path, number, found=f"{error}", expected="a word and its values, in UTF-8") from error
        if len(parts) <= dim or not np.isfinite(vector).all():
            raise DataError.at(path, number, found=f"{len(parts)} parts", expected=f"a word and {dim} finite values")
        yield word, vector


def _binary_rows(file: BinaryIO, path: Path, count: int, dim: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number in range(1, count + 1):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            word += byte
        values = file.read(4 * dim)
        if len(values) < 4 * dim:
            raise DataError(f"{path}: found the end of the file in word {number}; expected {count} words.")
        vector = np.frombuffer(values, dtype="<f4")
        if not np.isfinite(vector).all():
            raise DataError(f"{path}: word {number}: found NaN or infinity; expected finite values.")
        yield bytes(word).strip(b"\n").decode("utf-8", errors="replace"), vector
