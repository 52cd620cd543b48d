"""The composition of configurations: ``defaults``, overrides, variables and interpolation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException

from kiwi.exceptions import ConfigError
from kiwi.lib.utils.interpolation import Expansion, references_in
from kiwi.utils.dotted import flatten, spread
from kiwi.utils.io import did_you_mean
from kiwi.utils.structured.reading import Document, parse_document, read_document
from kiwi.utils.written import Options, remember, texts_of

PACKAGE_ASSETS = Path(str(resources.files("kiwi"))) / "assets"

ASSETS = "_kiwi_assets"
"""The variable that every configuration has."""


@dataclass(frozen=True)
class Composition:
    """A composed configuration, and what its variables are used for."""

    path: Path
    """The file, beside which groups are found."""

    content: Options
    """The options and the variables, which remember how they are written."""

    references: frozenset[str]
    """All names in the interpolations of the configuration."""

    defined: frozenset[str]
    """The variables that the files have."""

    unused: tuple[str, ...]
    """The variables of the files that nothing refers to."""

    unknown: Mapping[str, tuple[str, ...]]
    """The overrides of variables that the files do not have, with the variables that they have."""

    @property
    def options(self) -> Options:
        """The options without the variables."""
        return self.content.select(variables=False)

    @property
    def variables(self) -> Options:
        """The variables."""
        return self.content.select(variables=True)

    def refuse_unknown(self, references: Collection[str] = (), others: Collection[str] = ()) -> None:
        """Reject overrides of variables that neither a file has nor an interpolation refers to.

        Args:
            references: names in interpolations elsewhere.
            others: keys to suggest besides the variables of this configuration.

        Raises:
            ConfigError: when there is such an override.
        """
        for key, known in self.unknown.items():
            if key.partition(".")[0] in references:
                continue
            candidates = [*known, *others]
            hint = did_you_mean(key, candidates) if candidates else "it has no variables."
            raise ConfigError(f"Override '{key}': {self.path} has no such variable, and nothing refers to it; {hint}")


def compose(
    options: Mapping[str, Any], path: Path, overrides: Sequence[str] = (), variables: Mapping[str, Any] | None = None
) -> Composition:
    """Compose the ``defaults`` of options and apply overrides; see :func:`kiwi.lib.utils.load_configuration`.

    Args:
        options: the content of a configuration file.
        path: the path of the file, beside which groups are found.
        overrides: the overrides in order; the last one wins.
        variables: variables for interpolation, which the options may replace.

    Raises:
        ConfigError: when the file or an override cannot be used; the message names it.
    """
    own = Options(options)
    groups = _groups(own.pop("defaults", None) or [], path)
    assignments = [_parse_override(override, groups) for override in overrides]
    first = Options({ASSETS: str(PACKAGE_ASSETS)}) | (variables or {})
    layers = [first, *(read_mapping(_group_file(path, group, name)) for group, name in groups.items()), own]
    changes = [assignment for assignment in assignments if assignment is not None]
    changes.sort(key=lambda change: not change[0].startswith("_"))  # what options refer to is known before they change
    try:
        files = _merge(layers, [])
        merged = _merge(layers, [(key, found.values) for key, found in changes])
        texts_of_changes = [(key, found.texts) for key, found in changes]
        as_text = _merge([texts_of(layer) for layer in layers], texts_of_changes, are_checked=True)
        raw = OmegaConf.to_container(merged, resolve=False)
        Expansion(raw, path).check()
        values = OmegaConf.to_container(merged, resolve=True)
        texts = OmegaConf.to_container(as_text, resolve=True)
    except GrammarParseError as error:
        found = f"{error.full_key or 'a value'}: found an interpolation that cannot be read"
        raise ConfigError(f"{path}: {found}; expected ${{name}}, or \\${{ for the text itself.") from error
    except OmegaConfBaseException as error:
        raise ConfigError(f"{path}: {str(error).splitlines()[0]}.") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: found interpolations (${{...}}) that refer to each other; remove one.") from error
    references = frozenset(references_in(raw))
    anchored = {key for layer in layers if isinstance(layer, Options) for key in layer.anchored}
    of_files = [key for layer in layers[1:] for key in layer if key.startswith("_")]
    # An override of what refers to a variable leaves it in the file, where it may stay.
    left = {*references_in(OmegaConf.to_container(files, resolve=False))} - {
        key.partition(".")[0] for key, _ in changes
    }
    known = {key for key in flatten(OmegaConf.to_container(files, resolve=False)) if key.startswith("_")}  # type: ignore[arg-type]
    known -= {ASSETS}
    return Composition(
        path,
        remember(values, texts),
        references,
        frozenset(of_files),
        tuple(key for key in dict.fromkeys(of_files) if key not in references | anchored | left),
        {
            key: tuple(sorted(known))
            for key, _ in changes
            if key.startswith("_")
            and not any(each == key or each.startswith(f"{key}.") for each in [*known, ASSETS])
            and key.partition(".")[0] not in references - {each.partition(".")[0] for each in known}
        },
    )


def _merge(
    layers: Sequence[Mapping[str, Any]], changes: Sequence[tuple[str, Any]], *, are_checked: bool = False
) -> DictConfig:
    merged = OmegaConf.merge(*(OmegaConf.create(_plain(layer)) for layer in layers))
    assert isinstance(merged, DictConfig)
    for key, value in changes:
        _spread_values(merged, key, is_checked=are_checked)
        # A mapping is merged into the present one; any other value replaces it.
        OmegaConf.update(merged, key, value, merge=True, force_add=True)
    return merged


def _spread_values(merged: DictConfig, key: str, *, is_checked: bool) -> None:
    """Spread one value that the key of an override leads through over the keys of its option.

    Args:
        merged: the options, which are changed in place.
        key: the key of the override.
        is_checked: whether the key leads through no other value; in texts, null and switches look like one.

    Raises:
        ConfigError: when the key leads through another value, which the override would replace.
    """
    parts = key.replace("[", ".").replace("]", "").split(".")
    parent: Any = merged
    for position, name in enumerate(parts[:-1], 1):
        place, rest = ".".join(parts[:position]), ".".join(parts[position:])
        found = OmegaConf.select(merged, place)
        if isinstance(found, Container):
            parent = found
        elif found is not None and not isinstance(found, bool):  # null and switches give way to options
            written = OmegaConf.to_container(parent, resolve=False)
            each = spread(name, written[name]) if isinstance(written, dict) else None
            if each is None and is_checked:
                return
            if each is None:
                raise ConfigError(
                    f"Override '{key}': found {found!r} at {place}; expected options by name. To replace it, write "
                    f"{place}={{{rest}: ...}}."
                )
            OmegaConf.update(merged, place, each)
            return


def _plain(value: Any) -> Any:
    """Return a value without its texts, of the types that OmegaConf takes."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _parse_override(override: str, groups: dict[str, str]) -> tuple[str, Document] | None:
    """Return the key and the value of an override; None if it chooses the file of a group, which is changed."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        missing = "key" if equals else "'='"
        raise ConfigError(f"Override '{override}': found no {missing}; expected key=value, such as trainer.epochs=5.")
    if key in groups:
        groups[key] = text
        return None
    try:
        found = parse_document(text, f"Override '{override}'")
    except ConfigError as error:
        raise ConfigError(f"{str(error).rstrip('.')}; expected key=value with the value in YAML.") from error
    written = text.partition(" #")[0].strip()
    if found.values is None and written.lower() not in ("", "~", "null", "!!null"):
        return key, Document(text.strip(), text.strip())  # all of it is what YAML takes for a comment or an anchor
    is_quoted = text.lstrip()[:1] in ("'", '"', "|", ">", "&", "!")
    if found.texts is None or isinstance(found.texts, dict | list) or is_quoted:
        return key, found
    return key, Document(found.values, text.strip())  # with what YAML takes for a comment


_configuration_files: ContextVar[tuple[Path, ...]] = ContextVar("configuration_files", default=())


def configuration_files() -> tuple[Path, ...]:
    """Return the configuration files that have been read, which no command writes over."""
    return _configuration_files.get()


def read_mapping(path: Path) -> Options:
    """Read the keys and values of a configuration file, without composing or interpolating them.

    Raises:
        ConfigError: when there is no such file, or it does not hold a mapping.
    """
    if not _is_file(path):
        is_pipe = path.exists() and not path.is_dir()
        raise ConfigError(f"{path}: {'found a pipe; expected a' if is_pipe else 'no such configuration'} file.")
    _configuration_files.set((*_configuration_files.get(), path))
    document = read_document(path)
    if document.values is None:
        return Options()
    if not isinstance(document.values, dict):
        kind = type(document.values).__name__
        raise ConfigError(f"{path}: found a {kind}; expected keys and values at the top level.")
    content = remember(document.values, document.texts)
    assert isinstance(content, Options)
    content.anchored = document.anchored
    return content


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # of a name that is too long, or with NUL
        return False


def _groups(defaults: Any, path: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for entry in defaults if isinstance(defaults, list) else [defaults]:
        if entry == "_self_":
            continue
        if not isinstance(entry, dict) or not all(isinstance(name, str) for pair in entry.items() for name in pair):
            raise ConfigError(f"{path}: defaults: found {entry!r}; expected a list of entries 'group: name'.")
        groups |= entry
    return groups


def _group_file(path: Path, group: str, name: str) -> Path:
    directory = path.parent / group
    for candidate in (directory / f"{name}.yaml", directory / f"{name}.json", directory / name):
        if _is_file(candidate):
            return candidate
    known = [file.stem for file in directory.glob("*.*")]
    hint = f" {did_you_mean(name, known)}" if known else ""
    raise ConfigError(f"{path}: defaults: {group}: no file {directory / name}.yaml.{hint}")
