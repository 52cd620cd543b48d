"""Word alignments of texts, computed with the lower layers of a pretrained encoder; torch is not imported here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi.data.batch import pad
from kiwi.data.sampling import batches_by_tokens
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.special_pieces import single_template
from kiwi.data.text.word_alignment import Method, Vectors, align_words, alignment_line
from kiwi.data.text.words import words
from kiwi.systems.manifest.aligner import is_exported_aligner
from kiwi.utils.imports import needs_extra
from kiwi.utils.written import user_name

BATCH_TOKENS = 2048
"""The maximum number of pieces in a batch, padding included."""

SEGMENTS_AT_ONCE = 256
"""The number of segments whose vectors are held in memory together."""


class StatesEngine(ABC):
    """Computes the states of pieces."""

    tokenizer: Any
    """The tokenizer of the encoder."""

    max_pieces: int
    """The maximum length of a sequence, special pieces included."""

    name: str
    """The name of the encoder, with its layer."""

    @property
    @abstractmethod
    def sha256(self) -> str:
        """The hash of its weights."""

    @property
    def identity(self) -> str:
        """What alignments depend on: the name of the encoder, its layer, and the hash of its weights."""
        return f"{self.name}, {self.sha256}"

    @abstractmethod
    def __call__(self, pieces: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the states (rows, pieces, hidden) of pieces (rows, pieces), of which ``mask`` says which are there."""


class WordAligner:
    """Aligns the words of segments.

    Args:
        engine: the engine that computes the states of pieces.
        method: see :func:`kiwi.data.text.word_alignment.align_words`.
    """

    def __init__(self, engine: StatesEngine, method: Method = "argmax") -> None:
        self.engine = engine
        self.method: Method = method
        self.pieces = PieceTokenizer(engine.tokenizer, engine.max_pieces)
        self.before, self.after = single_template(engine.tokenizer)
        self.room = engine.max_pieces - len(self.before) - len(self.after)

    def align(
        self, source: Sequence[str], target: Sequence[str], methods: Sequence[Method] | None = None
    ) -> Iterator[str]:
        """Align segments, whose words are separated by spaces.

        Args:
            source: the source segments.
            target: their translations.
            methods: the method of each segment; None is that of the aligner for all of them.

        Yields:
            A line of ``i-j`` pairs for each segment, source index first; empty if a side has no word.
        """
        segments = list(zip(source, target, methods or [self.method] * len(source), strict=True))
        for start in range(0, len(segments), SEGMENTS_AT_ONCE):
            part = segments[start : start + SEGMENTS_AT_ONCE]
            # Sorted, so that neither the batches nor the last bits of the states depend on the order of the segments.
            texts = sorted({text for one, other, _ in part for text in (one, other)})
            vectors = dict(zip(texts, self._vectors(texts), strict=True))
            found = {
                segment: align_words(vectors[segment[0]], vectors[segment[1]], segment[2]) for segment in set(part)
            }
            yield from (alignment_line(found[segment]) for segment in part)

    def _vectors(self, texts: Sequence[str]) -> list[Vectors]:
        """Return the vectors of the words of each text, (words, hidden)."""
        encoded = [self.pieces.encode(words(text)) for text in texts]
        ids = [[piece for word in segment for piece in word] for segment in encoded]
        windows = [(text, start) for text, pieces in enumerate(ids) for start in _window_starts(len(pieces), self.room)]
        lengths = [len(ids[text][start : start + self.room]) for text, start in windows]
        sums: list[NDArray[np.float32] | None] = [None] * len(texts)
        counts = [np.zeros((len(pieces), 1), dtype=np.float32) for pieces in ids]
        extra = len(self.before) + len(self.after)
        for batch in batches_by_tokens([length + extra for length in lengths], BATCH_TOKENS):
            rows = [
                [*self.before, *ids[text][start : start + self.room], *self.after]
                for text, start in (windows[index] for index in batch)
            ]
            states = self.engine(
                pad(rows, self.pieces.pad_id).astype(np.int64), pad([[1] * len(row) for row in rows], 0).astype(bool)
            )
            for index, row in zip(batch, states, strict=True):
                text, start = windows[index]
                total = sums[text]
                if total is None:
                    total = sums[text] = np.zeros((len(ids[text]), row.shape[-1]), dtype=np.float32)
                end = start + lengths[index]
                total[start:end] += row[len(self.before) : len(self.before) + lengths[index]]
                counts[text][start:end] += 1
        return [
            np.zeros((0, 0), dtype=np.float32) if total is None else _word_means(total / count, segment)
            for total, count, segment in zip(sums, counts, encoded, strict=True)
        ]


def load_word_aligner(
    encoder: str | Path | None = None,
    method: Method = "argmax",
    *,
    layer: int | None = None,
    gpu_id: int | None = None,
    threads: int | None = None,
) -> WordAligner:
    """Load the encoder that aligns words.

    Args:
        encoder: a folder that ``kiwi align --export`` has written, which needs no torch; the folder of a pretrained
            encoder; its name on the model hub; or None for multilingual-e5-small, from the packages of the extra
            ``encoder``.
        method: see :func:`kiwi.data.text.word_alignment.align_words`.
        layer: the layer whose states are compared, counted from 1; None is the one in the middle.
        gpu_id: the number of the GPU to compute on; None is the CPU.
        threads: the number of CPU threads; None means ``OMP_NUM_THREADS``, or all cores that this process may use.

    Raises:
        CheckpointError: when the exported encoder is damaged.
        ConfigError: when the encoder cannot be loaded, or has no such layer.
        MissingExtraError: when an extra must be installed; the message names it.
    """
    encoder = encoder if encoder is None else user_name(encoder)
    if encoder is not None and is_exported_aligner(Path(encoder)):
        with needs_extra("onnx", "Aligning with an exported encoder"):
            from kiwi.runner.onnx_states import load_exported_states
        return WordAligner(load_exported_states(Path(encoder), layer, gpu_id, threads), method)
    with needs_extra("train", "Aligning with a pretrained encoder"):
        from kiwi.runner.torch_states import load_torch_states
    return WordAligner(load_torch_states(encoder, layer, gpu_id, threads), method)


def _window_starts(n_pieces: int, room: int) -> list[int]:
    """Return the first piece of each window; windows overlap by half, so that most pieces have context around them."""
    if n_pieces == 0:
        return []
    if n_pieces <= room:
        return [0]
    last = n_pieces - room
    steps = -(-last // max(1, room // 2))
    return [round(last * step / steps) for step in range(steps + 1)]


def _word_means(states: NDArray[np.float32], segment: Sequence[Sequence[int]]) -> Vectors:
    """Return the mean state over the pieces of each word."""
    sizes = np.array([len(word) for word in segment])
    sums = np.add.reduceat(states, np.cumsum(sizes) - sizes, axis=0)
    means: Vectors = (sums / sizes[:, None]).astype(np.float32)
    return means
