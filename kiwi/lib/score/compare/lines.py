"""Translations in files of one segment per line, one file for each system."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import count_surplus, different_lengths, stream_lines
from kiwi.exceptions import DataError
from kiwi.lib.score.compare.translations import OnUnusable, Translations, Unusable, advised, noting
from kiwi.utils.compression import SUFFIXES as COMPRESSED


def read_files(
    source: Path, targets: Sequence[Path], names: Sequence[str], pairs: Path | None, on_unusable: OnUnusable
) -> Translations:
    """Read the translations of several systems, each file once, so that each may be a pipe.

    Args:
        source: the file of the sources.
        targets: the file of each system.
        names: the name of each system.
        pairs: the file of the language pairs, if there is one.
        on_unusable: what happens to lines that are not text.

    Raises:
        DataError: when a file cannot be read, or they have different numbers of lines.
    """
    damaged: Unusable = {}
    places = [(source, names), *((path, [name]) for path, name in zip(targets, names, strict=True))]
    if pairs is not None:
        places.append((pairs, names))
    columns: list[list[str]] = []
    for path, systems in places:
        try:
            with closing(stream_lines(path, None if on_unusable == "stop" else noting(damaged, systems))) as lines:
                columns.append(list(lines))
        except DataError as error:
            raise advised(error) from error
    n_segments = min(map(len, columns))
    surplus = {path: count_surplus(lines[n_segments:], path) for (path, _), lines in zip(places, columns, strict=True)}
    if any(surplus.values()):
        raise different_lengths({path: n_segments + more for path, more in surplus.items()})
    first, *others = (lines[:n_segments] for lines in columns)
    common = {const.SOURCE: source} | ({} if pairs is None else {const.LANGUAGE_PAIR: pairs})
    return Translations(
        first,
        dict(zip(names, others, strict=False)),
        dict.fromkeys(names, range(1, n_segments + 1)),
        {name: common | {const.TARGET: path} for path, name in zip(targets, names, strict=True)},
        None if pairs is None else others[-1],
        {index: reasons for index, reasons in damaged.items() if index < n_segments},
    )


def name_files(paths: Sequence[Path]) -> list[str]:
    """Return a name for each file: its stem or, where two share it, the shortest end of the paths that differs.

    Args:
        paths: different files.
    """
    plain = [path.with_suffix("") if path.suffix.lower() in COMPRESSED else path for path in paths]
    choices = [[path.stem for path in plain]]
    choices += [["/".join(path.parts[-n:]) for path in plain] for n in range(1, max(len(p.parts) for p in plain) + 1)]
    return next((names for names in choices if len({*names}) == len(paths)), [str(path) for path in paths])
