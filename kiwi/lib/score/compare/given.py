"""Where the translations of several systems are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.cells import advising_columns
from kiwi.data.segments.given import has_column
from kiwi.exceptions import ConfigError
from kiwi.lib.score.compare.lines import name_files, read_files
from kiwi.lib.score.compare.tables import ID, SYSTEM, read_rows, read_wide
from kiwi.lib.score.compare.translations import OnUnusable, Translations
from kiwi.utils.io import did_you_mean
from kiwi.utils.written import optional_path, user_path

FIELDS = (const.SOURCE, const.TARGET, SYSTEM, ID, const.LANGUAGE_PAIR)
"""The fields of tables."""


@dataclass(frozen=True)
class Given:
    """The files of the translations: one of one segment per line for each system, or a table; ``~`` is expanded."""

    source: Path | None = None
    """The file of the sources."""

    targets: Sequence[Path] = ()
    """The file of each system."""

    language_pairs: Path | None = None
    """The file of the language pairs."""

    table: Path | None = None
    """A table with a column for each system, or with a row for each translation and a column ``system``."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each field but ``target``; by default, the name of the field."""

    target_columns: Sequence[str] = ()
    """The columns of the translations."""

    names: Sequence[str] = ()
    """The names of the systems; by default, those of the files or columns."""

    def __post_init__(self) -> None:
        for name in ("source", "language_pairs", "table"):
            object.__setattr__(self, name, optional_path(getattr(self, name)))
        object.__setattr__(self, "targets", [user_path(path) for path in self.targets])

    @property
    def paths(self) -> list[Path]:
        """The files that are read."""
        found = (self.source, *self.targets, self.language_pairs, self.table)
        return [path for path in found if path is not None]

    def read(self, on_unusable: OnUnusable) -> Translations:
        """Read the translations.

        Args:
            on_unusable: what happens to lines and rows that are not valid.

        Raises:
            ConfigError: when options are incompatible, or do not fit the table.
            DataError: when a file cannot be read, or the systems do not have the same segments.
        """
        self._check()
        if self.table is not None:
            with advising_columns():
                return self._read_table(self.table, on_unusable)
        assert self.source is not None
        names = self._named(name_files(self.targets))
        return read_files(self.source, self.targets, names, self.language_pairs, on_unusable)

    def _check(self) -> None:
        has_files = self.source is not None or bool(self.targets) or self.language_pairs is not None
        if has_files and (self.table is not None or self.columns or self.target_columns):
            raise ConfigError(
                "--source, --target and --lp are files with one segment per line; remove the table and --columns."
            )
        if self.table is None and (self.source is None or len(self.targets) < 2):
            found = f"{'no' if self.source is None else 'one'} --source and {len(self.targets)} --target"
            raise ConfigError(f"Found {found}; expected one --source and a --target for each of two or more systems.")
        for name in self.columns:
            if name not in FIELDS:
                raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, FIELDS)}")
        if repeated := _repeated([*self.columns.values(), *self.target_columns]):
            raise ConfigError(f"--columns: found the column '{repeated}' twice. Name each column once.")
        if repeated := _repeated(list(map(str, self.targets))):
            raise ConfigError(f"--target: found {repeated} twice. Give the file of each system once.")
        if "" in self.names or (repeated := _repeated(self.names)):
            raise ConfigError(f"--names: found {', '.join(map(repr, self.names))}; expected different names.")

    def _read_table(self, table: Path, on_unusable: OnUnusable) -> Translations:
        columns = {const.SOURCE: const.SOURCE, **self.columns}
        if const.LANGUAGE_PAIR not in columns and has_column(table, const.LANGUAGE_PAIR):
            columns[const.LANGUAGE_PAIR] = const.LANGUAGE_PAIR
        if len(self.target_columns) > 1:
            if surplus := [name for name in (SYSTEM, ID) if name in columns]:
                raise ConfigError(f"--columns {surplus[0]}: for tables with one column of translations. Remove it.")
            targets = dict(zip(self._named(self.target_columns), self.target_columns, strict=True))
            return read_wide(table, columns, targets, on_unusable)
        target = self.target_columns[0] if self.target_columns else const.TARGET
        columns = {**columns, const.TARGET: target, SYSTEM: columns.get(SYSTEM, SYSTEM)}
        if SYSTEM not in self.columns and not has_column(table, SYSTEM):
            raise ConfigError(
                f"{table}: found no column 'system'; expected one that names the system of each row (--columns "
                "system=NAME), or several columns of translations (--columns target=NAME,target=NAME)."
            )
        if self.names:
            raise ConfigError(f"--names: {table} names the systems in column '{columns[SYSTEM]}'. Remove the option.")
        return read_rows(table, columns)

    def _named(self, by_default: Sequence[str]) -> Sequence[str]:
        if self.names and len(self.names) != len(by_default):
            raise ConfigError(
                f"--names: found {len(self.names)} names for {len(by_default)} systems; expected one for each, such as "
                f"{','.join(by_default)}."
            )
        return self.names or by_default


def _repeated(names: Sequence[str]) -> str | None:
    """Return the first name that is there twice."""
    return next((name for name, times in Counter(names).items() if times > 1), None)
