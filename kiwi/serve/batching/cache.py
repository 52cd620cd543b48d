"""A bounded cache of results, which keeps hashes in the place of texts."""

from __future__ import annotations

import hashlib
import secrets
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
"""The predictions for a segment, by attribute of :class:`kiwi.runner.Predictions`."""

ENTRY = 300
"""About the number of bytes of memory of an entry without its result."""

Texts = tuple[str | None, ...]
"""The texts of a segment, one for each field that a system reads, and its language pair; None for alignments that are
not given, and for a language pair that is not known or does not matter."""


class ResultCache:
    """The results of the segments that were asked for last.

    Args:
        size: the maximum number of segments; 0 keeps none.
        max_bytes: about the maximum number of bytes of memory.
    """

    def __init__(self, size: int, max_bytes: int = 2**28) -> None:
        self.n_bytes = 0
        """About the number of bytes of memory that it takes."""
        self._size, self._max_bytes = size, max_bytes
        self._rows: OrderedDict[bytes, tuple[Row, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(32)

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, texts: Texts) -> bytes:
        """Return the keyed hash of the texts of a segment, which tells nobody what they were."""
        digest = hashlib.blake2b(key=self._secret, digest_size=16)
        for text in texts:
            content = b"" if text is None else text.encode("utf-8", "surrogatepass")
            digest.update(f"{-1 if text is None else len(content)}:".encode())
            digest.update(content)
        return digest.digest()

    def find(self, keys: Sequence[bytes]) -> list[Row | None]:
        """Return the result of each segment; None for those that are not in the cache."""
        with self._lock:
            found = [self._rows.get(key) for key in keys]
            for key, row in zip(keys, found, strict=True):
                if row is not None:
                    self._rows.move_to_end(key)
        return [None if each is None else each[0] for each in found]

    def add(self, keys: Sequence[bytes], rows: Sequence[Row]) -> None:
        """Keep results, and drop those that were not asked for the longest."""
        sizes = [ENTRY + memory_of(row) for row in rows]
        with self._lock:
            for key, row, n_bytes in zip(keys, rows, sizes, strict=True):
                if n_bytes > self._max_bytes:
                    continue
                self.n_bytes += n_bytes - self._rows.pop(key, (row, 0))[1]
                self._rows[key] = row, n_bytes
            while self._rows and (len(self._rows) > self._size or self.n_bytes > self._max_bytes):
                _, (_, n_bytes) = self._rows.popitem(last=False)
                self.n_bytes -= n_bytes


def memory_of(value: Any) -> int:
    """Return about the number of bytes of memory of a result, whose labels share their texts."""
    size = sys.getsizeof(value)
    if isinstance(value, dict):
        return size + sum(map(memory_of, value.values()))
    if isinstance(value, list | tuple) and value:
        if isinstance(value[0], float | int):
            return size + len(value) * sys.getsizeof(value[0])
        return size if isinstance(value[0], str) else size + sum(map(memory_of, value))
    return size
