"""The corpora that ``kiwi corpus join`` puts behind one another: their files, language pairs and records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.datasets.split import LANGUAGE
from kiwi.data.text.language_pairs import name_pair, split_pair
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.corpus.options import PARTS
from kiwi.lib.corpus.pipeline import SUFFIXES
from kiwi.lib.corpus.records import CORPUS_FILE, FORMAT
from kiwi.utils.structured.reading import read_structured

FIELDS = {suffix: field for field, suffix in SUFFIXES.items()} | {const.LANGUAGE_PAIR: const.LANGUAGE_PAIR}
"""The field of each kind of file that is checked; files of other kinds go along as they are."""

REQUIRED = tuple(SUFFIXES[field] for field in (const.SOURCE, const.TARGET, const.TARGET_TAGS, const.SENTENCE_SCORES))
"""The kinds of files that every corpus has."""

BEGINNINGS = {"train": ("train",), "dev": ("dev", "valid"), "test": ("test", "test20")}
"""The names of each part in directories that kiwi has not written, such as those of MLQE-PE."""

AGAIN = "Make the corpus again, or name its language pair with --pair and remove corpus.json."


@dataclass(frozen=True)
class Member:
    """A corpus that is joined."""

    directory: Path

    pair: str | None
    """Its language pair; None for a corpus that was joined itself, whose segments have one each."""

    files: Mapping[str, Mapping[str, Path]]
    """The files of each part, by kind, such as ``src``."""

    post_edits: str
    """What its labels come from, such as ``post-edits`` or ``references``; empty if that is not known."""

    sha256: str
    """The SHA-256 of its ``corpus.json``; empty if it has none."""

    source_tags: str = ""
    """The rule of its source tags (``--source-tags``); empty if that is not known."""


def open_member(directory: Path, pair: str | None) -> Member:
    """Read and check the record of a corpus, and find its files.

    Args:
        directory: a directory that ``kiwi corpus`` wrote, or one with files of the same names.
        pair: the language pair; None takes that of the record.

    Raises:
        ConfigError: when there is no corpus, or its language pair is not known.
        DataError: when a file is missing, or differs from the record.
    """
    if not directory.is_dir():
        found = "a file" if directory.exists() else "nothing there"
        raise ConfigError(f"{directory}: found {found}; expected a directory of kiwi corpus.")
    if pair is not None:
        try:
            split_pair(pair)
        except ValueError as error:
            raise ConfigError(f"--pair: {error}.") from None
    record = directory / CORPUS_FILE
    files = _find_files(directory)
    with_pairs = any(const.LANGUAGE_PAIR in own for own in files.values())
    if with_pairs and pair is not None:
        raise ConfigError(f"--pair: {directory} has a language pair for each segment. Give the directory without one.")
    if not record.is_file():
        if pair is None and not with_pairs:
            raise ConfigError(
                f"{directory}: found no {CORPUS_FILE}; expected a directory of kiwi corpus. For other files, "
                f"name their language pair: --pair en-de={directory}."
            )
        return Member(directory, pair, files, "", "")
    content = _read_record(record)
    _check_sums(directory, content["sha256"], files)
    if pair is None and not with_pairs:
        pair = _pair_of(content, record)
    digest = hashlib.sha256(record.read_bytes()).hexdigest()
    settings = content.get("settings")
    rule = settings.get("source_tags") if isinstance(settings, dict) else None
    return Member(directory, pair, files, str(content.get("post_edits", "")), digest, str(rule or ""))


def _find_files(directory: Path) -> dict[str, dict[str, Path]]:
    """Return the files of each part by kind; parts without a source are left out."""
    files: dict[str, dict[str, Path]] = {}
    for part in PARTS:
        for beginning in BEGINNINGS[part]:
            found = {
                path.name.removeprefix(f"{beginning}."): path
                for path in sorted(directory.glob(f"{beginning}.*"))
                if path.is_file()
            }
            if SUFFIXES[const.SOURCE] in found:
                files[part] = found
                break
    if not files:
        expected = "files such as train.src, train.mt and train.hter"
        raise DataError.at(directory, None, found="no part of a corpus", expected=expected)
    for found in files.values():
        for suffix in REQUIRED:
            if suffix not in found:
                place = found[SUFFIXES[const.SOURCE]].with_suffix(f".{suffix}")
                raise DataError.at(place, None, found="no such file", expected="one line per segment")
    return files


def _read_record(record: Path) -> dict[str, Any]:
    content = read_structured(record)
    if not isinstance(content, dict) or not isinstance(content.get("sha256"), dict):
        raise DataError.at(record, None, found="no record of kiwi corpus", expected="checksums of files", advice=AGAIN)
    if content.get("format") != FORMAT:
        found, expected = f"format {content.get('format')}", f"{FORMAT}, which this kiwi reads"
        raise DataError.at(record, None, found=found, expected=expected, advice=AGAIN)
    return content


def _check_sums(directory: Path, sums: Mapping[str, Any], files: Mapping[str, Mapping[str, Path]]) -> None:
    """Check that the files of all parts are as they were written."""
    for own in files.values():
        for path in own.values():
            if path.name not in sums:
                raise DataError.at(path, None, found=f"a file that {CORPUS_FILE} lacks", expected="none", advice=AGAIN)
    for name, digest in sums.items():
        if not name.startswith(tuple(f"{part}." for part in PARTS)):
            continue  # a report or a configuration may have been changed
        path = directory / name
        if not path.is_file():
            raise DataError.at(path, None, found="no such file", expected=f"it, as {CORPUS_FILE} has", advice=AGAIN)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            expected = f"that of {CORPUS_FILE}, {digest!s:.12}"
            raise DataError.at(path, None, found=f"the SHA-256 {found:.12}", expected=expected, advice=AGAIN)


def _pair_of(content: Mapping[str, Any], record: Path) -> str:
    languages = [content.get(f"{side}_language") for side in ("source", "target")]
    if not all(isinstance(tag, str) and LANGUAGE.fullmatch(tag) for tag in languages):
        raise ConfigError(
            f"{record}: found no languages of source and target; expected both. Name the language pair: "
            f"--pair en-de={record.parent}, or make the corpus with --source-language and --target-language."
        )
    pair = name_pair(*map(str, languages))
    try:
        split_pair(pair)
    except ValueError as error:
        raise ConfigError(f"{record}: {error}. Name it with --pair en-de={record.parent}.") from None
    return pair


def choose_kinds(members: Sequence[Member], *, common_only: bool) -> list[str]:
    """Return the kinds of files that are joined.

    Args:
        members: the corpora.
        common_only: whether to leave out what not all corpora have, rather than to reject it.

    Raises:
        DataError: when a corpus lacks a kind of file that another one has.
    """
    every: dict[str, Path] = {}
    for member in members:
        for own in member.files.values():
            every = {**own, **every}
    kinds = [suffix for suffix in every if suffix != const.LANGUAGE_PAIR]
    lacking: dict[str, Path] = {}
    for member in members:
        for own in member.files.values():
            source = own[SUFFIXES[const.SOURCE]]
            for suffix in kinds:
                if suffix not in own:
                    lacking.setdefault(suffix, source.with_suffix(f".{suffix}"))
    if lacking and not common_only:
        suffix, place = next(iter(lacking.items()))
        raise DataError.at(
            place,
            None,
            found="no such file",
            expected=f"it, as there is {every[suffix]}",
            advice=f"--common-only leaves out what not all corpora have: {', '.join(lacking)}.",
        )
    return [suffix for suffix in kinds if suffix not in lacking]


def choose_source_rule(members: Sequence[Member], kinds: Sequence[str]) -> str:
    """Return the rule of the source tags of all corpora; empty if there are none, or it is not known of any.

    Args:
        members: the corpora.
        kinds: the kinds of files that are joined.

    Raises:
        DataError: when two corpora have source tags of different rules.
    """
    if SUFFIXES[const.SOURCE_TAGS] not in kinds:
        return ""
    known = [member for member in members if member.source_tags]
    for member in known:
        if member.source_tags != known[0].source_tags:
            raise DataError.at(
                member.directory,
                None,
                found=f"source tags of the rule '{member.source_tags}'",
                expected=f"the rule '{known[0].source_tags}' of {known[0].directory}",
                advice="Make the corpora with the same --source-tags.",
            )
    return known[0].source_tags if known else ""
