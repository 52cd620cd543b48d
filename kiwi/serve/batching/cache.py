"""A bounded cache of results, which keeps hashes in the place of texts."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
"""The predictions for a segment, by attribute of :class:`kiwi.runner.Predictions`."""

Texts = tuple[str | None, ...]
"""The texts of a segment, one for each field that a system reads; None for alignments that are not given."""


class ResultCache:
    """The results of the segments that were asked for last.

    Args:
        size: the maximum number of segments; 0 keeps none.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: OrderedDict[bytes, Row] = OrderedDict()
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
            for key in keys:
                if key in self._rows:
                    self._rows.move_to_end(key)
            return [self._rows.get(key) for key in keys]

    def add(self, keys: Sequence[bytes], rows: Sequence[Row]) -> None:
        """Keep results, and drop those that were not asked for the longest."""
        with self._lock:
            for key, row in zip(keys, rows, strict=True):
                self._rows[key] = row
                self._rows.move_to_end(key)
            while len(self._rows) > self._size:
                self._rows.popitem(last=False)
