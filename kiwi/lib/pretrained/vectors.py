"""Write word vectors of a pretrained encoder, for systems that read words: ``kiwi vectors``."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi.data.files.lines import read_lines
from kiwi.data.text.words import words as words_of
from kiwi.exceptions import ConfigError
from kiwi.systems.pretrained.word_vectors import word_vectors
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import write_lines
from kiwi.utils.written import user_name, user_path

logger = logging.getLogger(__name__)


def write_vectors(
    encoder: str | Path,
    output: str | Path,
    texts: Sequence[str | Path],
    dim: int = 100,
    layer: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a vector for each word of some texts, in the format ``text`` of ``system.data_processing.embeddings``.

    The encoder reads each word alone. Its vectors are projected to the ``dim`` directions in which the words of the
    texts differ most, and scaled to length 1 on average.

    Args:
        encoder: the name of the encoder on the model hub, or a local folder, such as ``kiwi encoder`` writes.
        output: the file to write atomically.
        texts: the files of the texts, one segment per line, words separated by spaces.
        dim: the dimension of the vectors.
        layer: the layer of the encoder to use; None means the one at two thirds of the depth.
        overwrite: whether to replace a file that kiwi has not written.

    Returns:
        The path of the file.

    Raises:
        ConfigError: when the encoder cannot be loaded, or has no such layer or dimension, or the file would be written
            over one that is read or that kiwi has not written.
        DataError: when a text cannot be read.
    """
    output = user_path(output)
    Guard([*map(user_path, texts), user_path(encoder)], overwrite, "--overwrite").check([output])
    counts = Counter(word for path in texts for line in read_lines(user_path(path)) for word in words_of(line))
    words = sorted(counts)
    vectors = word_vectors(user_name(encoder), words, layer)
    largest = min(vectors.shape)
    if not 0 < dim <= largest:
        raise ConfigError(f"dim: found {dim}; expected 1 to {largest} (the hidden size, or the number of words).")
    frequencies = np.array([counts[word] for word in words], dtype=np.float64)
    reduced = reduce_dimensions(vectors, frequencies, dim)
    rows = zip(words, reduced, strict=True)
    write_lines(output, (" ".join([word, *(f"{value:.5f}" for value in row)]) for word, row in rows))
    record_written(output)
    logger.info("Wrote vectors of %d words to %s", len(words), output)
    return output


def reduce_dimensions(vectors: NDArray[np.float32], frequencies: NDArray[np.float64], dim: int) -> NDArray[np.float64]:
    """Project vectors to the directions in which they differ most, and scale them to length 1 on average.

    Args:
        vectors: the vectors of the words, (words, size).
        frequencies: the frequency of each word, which is weighted by its square root.
        dim: the number of directions to keep.

    Returns:
        The projected vectors, (words, dim); each direction is divided by the square root of its standard deviation.
    """
    shares = np.sqrt(frequencies) / np.sqrt(frequencies).sum()
    centred = vectors - shares @ vectors
    variances, directions = np.linalg.eigh(centred.T @ (centred * shares[:, None]))
    chosen = slice(None, -dim - 1, -1)  # the largest come last
    reduced = centred @ directions[:, chosen] / np.maximum(variances[chosen], 1e-12) ** 0.25
    return np.asarray(reduced / (np.linalg.norm(reduced, axis=1).mean() or 1.0))
