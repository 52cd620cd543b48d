"""The columns of the shards of a job, by those of the first one that can be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kiwi import constants as const
from kiwi.data.segments.shards import Shard
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.bulk.config import BulkConfig
from kiwi.runner.auto_aligner import switched_off
from kiwi.runner.engine import AboutSystem


def first_readable(shards: Sequence[Shard]) -> tuple[Shard, Collection[str] | None]:
    """Return the first shard with rows that can be read, and the names of its columns, which all are likely to have.

    If there is none, the first one that can be read is returned, with None. Those that cannot be read are reported by
    their tasks, after the others are done.

    Raises:
        DataError: when no shard can be read; the first one is named.
    """
    empty: Shard | None = None
    problem: DataError | None = None
    for shard in shards:
        try:
            columns = shard.columns()
        except DataError as error:
            problem = problem or error
            continue
        if columns is not None:
            return shard, columns
        empty = empty or shard
    if empty is None:
        assert problem is not None
        raise problem
    return empty, None


def must_align(bulk: BulkConfig, about: AboutSystem, names: Collection[str] | None) -> bool:
    """Return whether kiwi aligns: whether the system reads alignments, and none of these columns has them.

    Raises:
        ConfigError: when alignments are neither given nor made, or both.
    """
    if const.ALIGNMENTS not in about.input_fields:
        return False
    is_given = const.ALIGNMENTS in bulk.columns.model_fields_set or names is None or bulk.columns.alignments in names
    if is_given and bulk.aligner is not None:
        raise ConfigError(f"bulk.aligner: found {bulk.aligner}, but the shards have alignments. Remove it.")
    if not is_given and not bulk.align:
        raise switched_off(about.class_name)
    return not is_given


def has_pairs(bulk: BulkConfig, about: AboutSystem, names: Collection[str]) -> bool:
    """Return whether language pairs are read: whether predictions depend on them, and one of these columns has them.

    Raises:
        ConfigError: when their column is named, and predictions do not depend on them.
    """
    needs = about.reads_pairs
    if const.LANGUAGE_PAIR in bulk.columns.model_fields_set:
        if not needs:
            raise ConfigError(
                "bulk.columns.lp: given, but the system is not calibrated by language pair, and has no thresholds of "
                "pairs. Remove it, or run: kiwi calibrate --lp, or kiwi thresholds --lp."
            )
        return True
    return needs and bulk.columns.lp in names


def check_columns(shard: Shard, about: AboutSystem) -> None:
    """Check the columns of one shard before any work, because all shards are likely to have the same ones.

    Raises:
        ConfigError: when a text file cannot have what the system reads.
        DataError: when a column is missing, duplicated, or has a reserved name.
    """
    columns = sorted(set(shard.names) - {const.SOURCE, const.TARGET})
    if shard.format == "text" and columns:
        raise ConfigError(
            f"{shard.place}: text has only source and target, but this system ({about.class_name}) also reads "
            f"{', '.join(columns)}. Convert the shards to TSV, JSON Lines or Parquet."
        )
    shard.check()
