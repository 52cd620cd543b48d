"""Pretrained word embeddings, read as a stream from the common file formats."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from kiwi.exceptions import DataError
from kiwi.utils.compression import rejoined
from kiwi.utils.inputs import InputFile, reading
from kiwi.utils.io import BaseConfig, mistakes
from kiwi.utils.text import BOM, LONGEST_LINE, START, TextDecoder, check_start, line_blocks

EmbeddingsFormat = Literal["polyglot", "word2vec", "fasttext", "glove", "text"]

LARGEST_DIM = 100_000
"""The largest number of dimensions, so that a damaged first line does not ask for all memory."""

MAX_DIGITS = 18
"""The maximum number of digits of a count."""

LONGEST_WORD = 10_000
"""The maximum length of a word in a binary file, in bytes."""

CUT_WORD = 50
"""The length in bytes from which a word in a binary file may be cut within a character: word2vec cuts words to 98 bytes
and word2phrase parts of phrases to 58."""

POLYGLOT_ADVICE = (
    "polyglot files are pickles, which can run arbitrary code when loaded, so kiwi does not read them. Convert a file "
    "that you trust in a separate environment: words, vectors = pickle.load(open(FILE, 'rb'), encoding='bytes'); then "
    "write a line 'word value value ...' for each word, and set format: text"
)


class PretrainedEmbeddingsConfig(BaseConfig):
    """Files of pretrained embeddings, by field."""

    source: InputFile | None = None
    """File of embeddings for source words."""

    target: InputFile | None = None
    """File of embeddings for target words."""

    post_edit: InputFile | None = None
    """File of embeddings for words of the post-edit."""

    source_pos: InputFile | None = None
    """File of embeddings for part-of-speech tags of the source."""

    target_pos: InputFile | None = None
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
    with reading(path) as file:
        first = file.readline(LONGEST_LINE)
        counts = _parse_counts(first, path)
        if format in ("glove", "text"):
            if counts is not None:
                raise DataError.at(
                    path, 1, found="two counts", expected="a word and its values", advice="Set format: word2vec."
                )
            yield from _text_rows(rejoined(first, file), path, None, n_before=0)
            return
        if counts is None:
            advice = "For a file without this line, set format: text."
            if path.suffix == ".bin":
                advice = "A .bin model of fastText is not a file of word vectors; give its .vec file instead."
            else:
                check_start(first, path)
            raise DataError.at(
                path, 1, found="no counts", expected="two counts, of words and of dimensions", advice=advice
            )
        count, dim = counts
        start = file.readline(LONGEST_LINE)
        start += file.read(START)
        rest = rejoined(start, file)
        if format == "word2vec" and _is_binary(start, dim):
            yield from _binary_rows(rest, path, count, dim)
            return
        found = 0
        for row in _text_rows(rest, path, dim, n_before=1):
            found += 1
            yield row
        if found != count:
            raise DataError.at(path, None, found=f"{found} words", expected=f"{count}, according to its first line")


def _parse_counts(line: bytes, path: Path) -> tuple[int, int] | None:
    """Return the numbers of words and dimensions on the first line; None if it has something else.

    Raises:
        DataError: when no file can have so many, before memory is needed for them.
    """
    parts = line.removeprefix(BOM).split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        return None
    if any(len(part) > MAX_DIGITS for part in parts) or not 1 <= int(parts[1]) <= LARGEST_DIM:
        count, dim = (part.decode("ascii") for part in parts)
        expected = f"two counts, of words and of dimensions (1 to {LARGEST_DIM})"
        raise DataError.at(path, 1, found=f"'{count:.30} {dim:.30}'", expected=expected)
    return int(parts[0]), int(parts[1])


def _is_binary(start: bytes, dim: int) -> bool:
    """Return whether a file of word2vec is binary, by what follows its first line.

    Bytes that no text has are damage of a text file where another line is a word and its values.
    """
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        is_text = False
    else:
        is_text = b"\0" not in start
    return not is_text and not any(_has_values(line, dim) for line in start.split(b"\n"))


def _has_values(line: bytes, dim: int) -> bool:
    parts = line.split()
    try:
        [float(part.decode("ascii")) for part in parts[-dim:]]
    except ValueError:
        return False
    return len(parts) > dim


def _text_rows(file: BinaryIO, path: Path, dim: int | None, n_before: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    decoder = TextDecoder(path)
    number = decoder.n_lines = n_before
    for block in line_blocks(file, path):
        for line in decoder.lines(block):
            number += 1
            # Split from the right, because a word may contain spaces (some in GloVe do).
            text = line.rstrip(" ")
            parts = text.split(" ")
            dim = dim or max(1, len(parts) - 1)
            word, values = " ".join(parts[:-dim]), parts[-dim:]
            try:
                vector = _parse_values(values, text[len(word) :])
            except ValueError as error:
                raise DataError.at(path, number, found=f"{error!s:.100}", expected="a word and its values") from error
            if len(parts) <= dim or not np.isfinite(vector).all():
                found = f"{len(parts)} parts"
                if len(parts) > dim:
                    found = f"'{values[int(np.isfinite(vector).argmin())]:.98}'"
                expected = f"a word and {dim} finite values in single precision"
                raise DataError.at(path, number, found=found, expected=expected)
            yield word, vector


def _parse_values(values: Sequence[str], text: str) -> NDArray[np.float32]:
    """Return numbers that are written in ASCII and without underscores, unlike those of Python.

    Args:
        values: the numbers.
        text: all of them as they are in the file.

    Raises:
        ValueError: when a value is no such number; the message is the value in quotes.
    """
    if "_" in text or not text.isascii():
        odd = next((value for value in values if "_" in value or not value.isascii()), "")
        raise ValueError(f"'{odd}'")
    try:
        with np.errstate(over="ignore"):  # which gives infinity
            return np.array(values, dtype=np.float32)
    except ValueError as error:
        raise ValueError(str(error).partition("could not convert string to float: ")[2] or f"'{text}'") from error


def _binary_rows(file: BinaryIO, path: Path, count: int, dim: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    advice = f"Its first line says {count} words of {dim} values: correct it, or copy the file again."
    for number in range(1, count + 1):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            word += byte
            if len(word) > LONGEST_WORD:
                found = f"no space in {LONGEST_WORD} bytes"
                raise DataError(f"{path}: word {number}: found {found}; expected a word, a space and {dim} values.")
        values = file.read(4 * dim)
        if len(values) < 4 * dim:
            raise DataError(f"{path}: found the end of the file in word {number}; expected {count} words. {advice}")
        vector = np.frombuffer(values, dtype="<f4")
        if not np.isfinite(vector).all():
            raise DataError(f"{path}: word {number}: found NaN or infinity; expected finite values.")
        content = bytes(word).removeprefix(b"\n")
        text = _binary_word(content)
        if text is None:
            raise DataError(
                f"{path}: word {number}: found {content[:30]!r}; expected UTF-8 without line feeds and NUL bytes. "
                f"{advice} Save a file in another encoding again in UTF-8."
            )
        yield text, vector
    if file.read(2) not in (b"", b"\n"):
        raise DataError(f"{path}: found more bytes after word {count}; expected the end of the file. {advice}")


def _binary_word(word: bytes) -> str | None:
    """Return a word of a binary file, or None if it has bytes that no word has."""
    if b"\n" in word or b"\0" in word:
        return None
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(word) < CUT_WORD or error.reason == "invalid start byte":
            return None
        return word.decode("utf-8", errors="replace")
