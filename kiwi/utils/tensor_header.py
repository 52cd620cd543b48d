"""The header of a safetensors file, read without loading the tensors and without any library."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiwi.exceptions import CheckpointError
from kiwi.utils.sealed import MEBIBYTE, RESTORE, parse_json

LARGEST_HEADER = 16 * MEBIBYTE
"""The maximum size of a header, in bytes."""

BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}
"""The size of a value in bytes, by type."""


LFS_POINTER = b"version https://git-lfs."
"""The first bytes of what a clone has in the place of a file before Git LFS fetches it."""


@dataclass(frozen=True)
class TensorInfo:
    """The type and shape of a tensor."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)


def read_tensor_header(file: Path) -> dict[str, TensorInfo]:
    """Read the types and shapes of the tensors in a safetensors file, by name.

    Args:
        file: the file, of which only the header is read.

    Raises:
        CheckpointError: when the file is of another kind, is truncated, or is inconsistent: a header longer than the
            file, or tensors that overlap, lie outside of the file, or do not match their number of bytes.
    """
    if not file.is_file():
        found = "a directory" if file.is_dir() else "nothing there"
        raise CheckpointError(f"{file}: weights cannot be read: found {found}; expected a safetensors file. {RESTORE}")
    try:
        with file.open("rb") as content:
            total = file.stat().st_size
            start = content.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            header = content.read(length) if 2 <= length <= min(LARGEST_HEADER, total - 8) else None
    except OSError as error:
        raise CheckpointError(f"{file}: weights cannot be read: {error.strerror}.") from error
    if start == LFS_POINTER[:8]:
        raise CheckpointError(f"{file}: found a pointer of Git LFS; expected weights. Fetch them with: git lfs pull")
    if header is None:
        raise _damaged(file, _kind(start, total, length))
    if not header.startswith(b"{"):
        raise _damaged(file, f"found a header that begins with {header[:8]!r}; expected JSON")
    entries = parse_json(header, file)
    entries.pop("__metadata__", None)
    tensors: dict[str, TensorInfo] = {}
    spans: list[tuple[int, int, str]] = []
    for name, entry in entries.items():
        tensor, span = _tensor(file, name, entry)
        tensors[name] = tensor
        spans.append((*span, name))
    here = 0
    for begin, end, name in sorted(spans):
        if begin != here:
            raise _damaged(file, f"'{name}' begins at byte {begin}; expected {here}, where the one before it ends")
        here = end
    if here != (there := total - 8 - length):
        raise _damaged(file, f"found {there} bytes of tensors; expected {here}")
    return tensors


def _tensor(file: Path, name: str, entry: Any) -> tuple[TensorInfo, tuple[int, int]]:
    try:
        dtype, shape = entry["dtype"], entry["shape"]
        begin, end = entry["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise _damaged(file, f"'{name}' lacks its type, shape or offsets") from error
    is_shape = isinstance(shape, list) and len(shape) <= 8
    if not is_shape or not all(type(number) is int and 0 <= number < 2**48 for number in (*shape, begin, end)):
        raise _damaged(file, f"'{name}' has an invalid shape or invalid offsets")
    if dtype not in BYTES:
        raise _damaged(file, f"'{name}' is of type {dtype!r}; expected one of {', '.join(BYTES)}")
    tensor = TensorInfo(dtype, tuple(shape))
    if tensor.size * BYTES[dtype] != end - begin:
        raise _damaged(
            file, f"'{name}' has {end - begin} bytes; its shape {tensor.shape} needs {tensor.size * BYTES[dtype]}"
        )
    return tensor, (begin, end)


def _kind(start: bytes, total: int, length: int) -> str:
    """Describe a file whose first bytes are not a valid length of a header."""
    if start.startswith(b"PK\x03\x04") or start[:1] == b"\x80":
        return "found a pickle or an archive of pickles; kiwi never loads pickles and expects safetensors"
    if total < 10:
        return f"found {total} bytes; expected a safetensors file"
    return (
        f"found a header of {length} bytes in a file of {total}; expected at most {LARGEST_HEADER}, and a header that "
        "fits in the file"
    )


def _damaged(file: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{file}: damaged: {reason}. {RESTORE}")
