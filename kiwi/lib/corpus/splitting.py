"""Assigns the segments of a corpus to its parts, with their hashes on disk and a few bytes per segment in memory."""

from __future__ import annotations

import logging
import tempfile
from array import array
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from kiwi.data.text.normal_form import normal_form
from kiwi.exceptions import DataError
from kiwi.lib.corpus.options import PARTS, CorpusOptions

logger = logging.getLogger(__name__)

LEFT_OUT, DUPLICATE = -1, -2
"""What stands for the part of segments that are left out, by the rule ``duplicate`` or another one."""

DEFAULT_SIZE, DEFAULT_SHARE = 1000, 0.1
"""The size of ``dev`` and ``test``, and the share of the segments that they are at most, unless the user says more."""

N_RANGES = 16
"""The number of ranges of hashes that are compared one after another, so that only a part of them is in memory."""

AT_ONCE = 2**16
"""The number of hashes that are written or read at once."""


class Hashes:
    """The hashes of one text of each segment, in a file without a name.

    Args:
        directory: where the file lies; None is the directory for temporary files.
    """

    def __init__(self, directory: Path | None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115
        self._new = array("Q")

    def add(self, text: str) -> None:
        """Add the text of the next segment."""
        self._new.append(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big"))
        if len(self._new) == AT_ONCE:
            self._write()

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def firsts(self, is_kept: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return the index of the first kept segment with the same text, (segments,), or their own for those not kept.

        Args:
            is_kept: whether each segment is kept, (segments,).
        """
        self._write()
        found = np.arange(len(is_kept), dtype=np.int32)
        for number in range(N_RANGES):
            chosen, hashes = self._of_range(number, is_kept)
            _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
            found[chosen] = chosen[first[inverse]]
        return found

    def _of_range(self, number: int, is_kept: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """Return the indices and the hashes of the kept segments in a range of hashes."""
        self._file.seek(0)
        indices, hashes = [np.empty(0, np.int32)], [np.empty(0, np.uint64)]
        for start in range(0, len(is_kept), AT_ONCE):
            block = np.frombuffer(self._file.read(8 * AT_ONCE), np.uint64)
            chosen = (block % N_RANGES == number) & is_kept[start : start + AT_ONCE]
            indices.append((start + np.flatnonzero(chosen)).astype(np.int32))
            hashes.append(block[chosen])
        return np.concatenate(indices), np.concatenate(hashes)

    def _write(self) -> None:
        self._file.seek(0, 2)
        self._file.write(self._new.tobytes())
        self._new = array("Q")


class Keys:
    """What is known of the segments of a corpus, by which duplicates are found and segments are kept together.

    Args:
        directory: where to store it; None is the directory for temporary files.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._is_kept = bytearray()
        self._sources, self._groups, self._rows = (Hashes(directory) for _ in range(3))
        self._has_groups = False

    def add(self, is_kept: bool, texts: Sequence[str], group: str | None) -> None:
        """Add a segment.

        Args:
            is_kept: whether it is kept by the rules that concern single segments.
            texts: its source, and what else duplicates have in common with it.
            group: the name of its document, if known.
        """
        texts = list(map(normal_form, texts))
        self._is_kept.append(is_kept)
        self._sources.add(texts[0].casefold())
        self._rows.add("\n".join(texts))
        if group is not None:
            self._groups.add(group)
            self._has_groups = True

    def split(self, options: CorpusOptions, place: object) -> NDArray[np.int8]:
        """Return the index of the part of each segment, (segments,), or what stands for segments that are left out.

        Segments with the same source are in the same part, and those of a group are.

        Args:
            options: the sizes of the parts, and how they are drawn.
            place: the file of the segments, for errors.

        Raises:
            DataError: when no segment is left for a part.
        """
        parts = np.where(np.frombuffer(self._is_kept, np.bool_), np.int8(0), np.int8(LEFT_OUT))
        if "duplicate" not in options.keep:
            is_first = self._rows.firsts(parts == 0) == np.arange(len(parts), dtype=np.int32)
            parts[(parts == 0) & ~is_first] = DUPLICATE
        n_kept = int(np.count_nonzero(parts == 0))
        if not n_kept:
            found = f"{len(parts):,} segments, all of which the cleaning rules leave out"
            advice = "Do the lines of the files match? --keep switches rules off, one by one."
            raise DataError.at(place, None, found=found, expected="some to train on", advice=advice)
        sizes = [_size(options.dev, n_kept), _size(options.test, n_kept)]
        for name, share, size in zip(PARTS[1:], (options.dev, options.test), sizes, strict=True):
            if share and not size:
                found = f"{n_kept:,} segments, and a share of {share:g} of them for {name}, which is none"
                advice = f"Raise --{name}, or give --{name} 0 to do without it."
                raise DataError.at(place, None, found=found, expected="at least one", advice=advice)
        if sum(sizes) >= n_kept:
            sizes_given = f"{sizes[0]:,} for dev and {sizes[1]:,} for test"
            found, expected = f"{n_kept:,} segments", f"more than {sizes_given}, so that some are left to train on"
            raise DataError.at(place, None, found=found, expected=expected, advice="Lower --dev and --test.")
        blocks = self._blocks(parts == 0)
        of_kept, ends = _fill(blocks, sizes, options, has_documents=self._has_groups)
        parts[parts == 0] = of_kept
        for part, size in ((2, sizes[1]), (1, sizes[0])):
            n_found = int(np.count_nonzero(of_kept == part))
            n_small = int(np.count_nonzero(np.bincount(blocks) <= size))
            _check_part(PARTS[part], size, n_found, n_small, ends.get(PARTS[part]), place)
        return parts

    def close(self) -> None:
        """Remove what was stored."""
        for hashes in (self._sources, self._groups, self._rows):
            hashes.close()

    def _blocks(self, is_kept: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return a number for each kept segment that segments of a common source or group share, (kept segments,)."""
        keys = [self._sources.firsts(is_kept)]
        if self._has_groups:
            keys.append(self._groups.firsts(is_kept))
        numbers = _connected(keys)
        del keys
        is_first = (numbers == np.arange(len(numbers), dtype=np.int32)) & is_kept
        ranks = np.cumsum(is_first, dtype=np.int32) - np.int32(1)
        return ranks[numbers[is_kept]]


def _size(given: float | None, n_segments: int) -> int:
    if given is None:
        return min(DEFAULT_SIZE, max(1, int(DEFAULT_SHARE * n_segments)))
    return round(given * n_segments) if given < 1 else int(given)


def _check_part(name: str, size: int, n_segments: int, n_small: int, end: int | None, place: object) -> None:
    """Check that a part has a segment, and warn if the order of the documents leaves it smaller than asked for.

    Args:
        name: the part.
        size: the number of segments that it should have.
        n_segments: the number that it has.
        n_small: the number of documents and repeated sources that are small enough for it, test included.
        end: the number of segments of the document before it that does not fit, if that ended it.
        place: where the segments come from.

    Raises:
        DataError: when it has none.
    """
    undivided = "documents and repeated sources are not divided."
    if size and not n_segments:
        expected = f"one of at most {size:,} segments, the size of {name}"
        found = f"documents and repeated sources of more than {size:,} segments only"
        advice = f"Raise --{name}; {undivided}"
        if end is not None:
            last = "the last document" if name == "test" else "the last document before test"
            found, expected = f"{end:,} segments in {last}", f"at most {size:,}, the size of {name}"
            advice = f"Raise --{name} to {end}: --keep-order skips no document, and those with a common source are one."
        elif n_small:
            found = f"{n_small:,} of that size, all in test"
            advice = f"Lower --test, or raise --{name}; {undivided}"
            expected = f"a document or repeated source of at most {size:,} segments for {name}"
        raise DataError.at(place, None, found=found, expected=expected, advice=advice)
    if end is not None:
        logger.warning(
            "%s has %s segments instead of %s: the document before them has %s, and with --keep-order no older one "
            "takes its place. Raise --%s to %d to include it.",
            name,
            f"{n_segments:,}",
            f"{size:,}",
            f"{end:,}",
            name,
            n_segments + end,
        )


def _connected(keys: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Return the index of the first segment that each one is connected to, directly or through others, (segments,).

    Args:
        keys: the index of the first segment with the same key, for each kind of keys.
    """
    numbers = keys[0]
    while len(keys) > 1:
        former = numbers
        for key in keys:
            least = np.arange(len(numbers), dtype=np.int32)
            np.minimum.at(least, key, numbers)
            numbers = least[key]
        if np.array_equal(numbers, former):
            break
    return numbers


def _fill(
    blocks: NDArray[np.int32], sizes: list[int], options: CorpusOptions, *, has_documents: bool
) -> tuple[NDArray[np.int8], dict[str, int]]:
    """Return the index of the part of each segment; blocks that do not fit a part anymore go to another one.

    With the order of documents kept, a part ends before the first one that does not fit, so that none is older than one
    of a part behind it. A source that is repeated all over a corpus without documents has no place in their order, and
    ends nothing.

    Args:
        blocks: the number of the block of each segment, (segments,).
        sizes: the sizes of ``dev`` and ``test``.
        options: how the parts are drawn.
        has_documents: whether blocks are documents, or several that have a source in common.

    Returns:
        The parts, (segments,), and the number of segments of the document that ended a part, by the name of the part.
    """
    n_blocks = int(blocks.max()) + 1
    counts = np.zeros(n_blocks, np.int32)
    np.add.at(counts, blocks, np.int32(1))
    order = np.arange(n_blocks, dtype=np.int32)
    if options.keep_order:
        last = np.zeros(n_blocks, np.int32)
        np.maximum.at(last, blocks, np.arange(len(blocks), dtype=np.int32))
        order = np.argsort(-last).astype(np.int32)
    else:
        np.random.default_rng(options.seed).shuffle(order)
    of_block = np.zeros(n_blocks, np.int8)
    ends: dict[str, int] = {}
    for part, size in ((PARTS.index("test"), sizes[1]), (PARTS.index("dev"), sizes[0])):
        for block in map(int, order):
            if of_block[block]:
                continue
            if size <= 0:
                break
            if counts[block] <= size:
                of_block[block] = part
                size -= int(counts[block])
            elif options.keep_order and has_documents:
                ends[PARTS[part]] = int(counts[block])
                break
    return of_block[blocks], ends
