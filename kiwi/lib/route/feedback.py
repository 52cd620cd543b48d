"""The feedback that people give about routed segments: final translations or judgements, in tables and documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kiwi import constants as const
from kiwi.data.documents.formats import require_format
from kiwi.data.documents.tmx import is_language
from kiwi.data.labels.policy import DECISION, EVERY, REASON, Policy
from kiwi.data.post_edits.beside import stream_beside
from kiwi.data.post_edits.files import stream_segments
from kiwi.data.post_edits.units import UNIT_RULES, Unit, choose_machine
from kiwi.data.text.language_pairs import split_pair
from kiwi.exceptions import ConfigError, MissingColumnError
from kiwi.lib.route.columns import MISSING
from kiwi.lib.score.deciding import LANGUAGE_PAIR, Decider
from kiwi.lib.score.flagging import check_languages
from kiwi.lib.score.inputs import GROUP
from kiwi.utils.io import did_you_mean

GOLD = "gold"
"""The field of judgements."""

FIELDS = (const.SOURCE, const.TARGET, const.POST_EDIT, GOLD, DECISION, REASON, GROUP)
"""The fields of tables."""

HTER = "hter"
"""The measure that follows from final translations."""


@dataclass(frozen=True)
class FeedbackInput:
    """A file of feedback, and how to read it."""

    path: Path
    """A table (CSV, TSV, XLSX, JSON Lines, JSON or Parquet) or a file of translators (XLIFF, TMX or PO)."""

    target: Path | None = None
    """The machine translations, beside a file of translators: the file that ``kiwi score`` wrote, or lines."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each field in a table, by default the name of the field."""

    languages: Sequence[str] = ()
    """The languages of source and target, where the file does not say them."""

    machine: str | None = None
    """A part of the name of the origin of the machine translations in a file of translators."""

    def check(self) -> None:
        """Check that the options fit the file and each other.

        Raises:
            ConfigError: when they do not.
        """
        form = require_format(self.path)
        for name in self.columns:
            if name not in FIELDS:
                raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, FIELDS)}")
        if len(set(self.columns.values())) < len(self.columns):
            raise ConfigError("--columns: found the same column for several fields. Name one for each.")
        check_languages(self.languages)
        if form.is_table and (self.target is not None or self.machine is not None):
            option = "--mt-origin" if self.target is None else "--target"
            raise ConfigError(f"{option}: for files of translators; {self.path} is {form.name}. Remove it.")
        if not form.is_table and self.columns:
            raise ConfigError(f"--columns names columns of a table, but {self.path} is {form.name}. Remove it.")
        if self.machine is not None and self.target is not None:
            raise ConfigError("--mt-origin chooses from those in the feedback, but --target names others. Remove one.")


@dataclass(frozen=True)
class Routed:
    """A segment that a policy decided about, and what came back."""

    line: int
    group: str
    decision: str
    """What the policy decided; empty if the file does not say it."""

    reason: str
    source: str
    machine: str
    final: str = ""
    """The final translation; empty if there is none."""

    gold: str = ""
    """The judgement; empty if there is none."""

    language: str = ""
    """The language of the translation, if it is known."""

    missing: str = ""
    """Why neither a final translation nor a judgement can be used; empty if one can."""

    rated_by: str = ""
    """The fingerprint of the system that scored it, if the file says it."""


def read_feedback(given: FeedbackInput, policy: Policy) -> Iterator[Routed]:
    """Yield the segments of a file of feedback.

    Args:
        given: the file.
        policy: the policy, which says what is needed of each segment: its group, and a judgement, or a final
            translation for its HTER.

    Raises:
        ConfigError: when the file has no place for what is needed.
        DataError: when the file is not what its format says.
    """
    form = require_format(given.path)
    if form.is_table:
        return _rows(given, policy)
    if policy.acceptable.measure != HTER:
        raise ConfigError(
            f"{given.path}: the policy takes '{policy.acceptable}' for acceptable, which {form.name} does not say of "
            "a translation; its edits tell HTER only. Give a table with a column of judgements (--columns gold=NAME)."
        )
    Decider(policy).check_document(form.name, given.path)
    return _units(given, policy, Decider(policy))


def _rows(given: FeedbackInput, policy: Policy) -> Iterator[Routed]:
    takes_edits = policy.acceptable.measure == HTER and GOLD not in given.columns
    wanted = const.POST_EDIT if takes_edits else GOLD
    names = [const.SOURCE, const.TARGET, DECISION, REASON, wanted, *([GROUP] if policy.by else [])]
    columns = {name: given.columns.get(name, name) for name in names}
    if unused := [name for name in given.columns if name not in names]:
        why = "the policy has no groups" if unused[0] == GROUP else f"judgements are read ('{policy.acceptable}')"
        raise ConfigError(f"--columns {unused[0]}: not used, because {why}. Remove it.")
    missing = "no final translation" if takes_edits else "no judgement"
    try:
        for line, texts in stream_segments(given.path, columns, nullable=(wanted, DECISION, REASON)):
            group = policy.groups_named([texts[GROUP]])[0] if policy.by else EVERY
            found = "" if (cell := texts[wanted].strip()).lower() in MISSING else cell
            yield Routed(
                line,
                group,
                texts[DECISION].strip(),
                texts[REASON].strip(),
                texts[const.SOURCE],
                texts[const.TARGET],
                final=found if takes_edits else "",
                gold="" if takes_edits else found,
                language=_target_language(policy, group) or (given.languages[1] if given.languages else ""),
                missing="" if found else missing,
            )
    except MissingColumnError as error:
        advice = {
            DECISION: "Give the table that kiwi score --policy wrote, with its columns.",
            REASON: "Give the table that kiwi score --policy wrote, with its columns.",
            GROUP: Decider(policy).advice.get(GROUP),
        }.get(field := next(name for name in names if columns[name] == error.column))
        raise error.with_advice(advice or f"Name it with --columns, such as --columns {field}=NAME.") from None


def _target_language(policy: Policy, group: str) -> str:
    """Return the language of translations of a group, if groups are language pairs."""
    try:
        return split_pair(group)[1] if policy.by == LANGUAGE_PAIR else ""
    except ValueError:
        return ""


def _units(given: FeedbackInput, policy: Policy, decider: Decider) -> Iterator[Routed]:
    source_language, target_language = given.languages or ("", "")
    of_tmx = given.languages if require_format(given.path).name == "TMX" else ()
    for unit, line in stream_beside(given.path, given.target, of_tmx, given.machine):
        own = unit.languages[0] or source_language, unit.languages[1] or target_language
        groups = decider.groups_of([own]).get(GROUP, [EVERY])
        machine, decided, missing = _machine_of(unit, line, given)
        decision, reason = decided or ("", "")
        yield Routed(
            unit.line,
            groups[0],
            decision,
            reason,
            unit.source,
            machine,
            final=unit.translation,
            language=own[1],
            missing=_missing(unit, own, given, missing),
            rated_by=unit.rated_by,
        )


def _machine_of(unit: Unit, line: str | None, given: FeedbackInput) -> tuple[str, tuple[str, str] | None, str]:
    """Return the machine translation of a unit, the decision about it, and the reason why there is none."""
    if given.target is not None:
        return line or "", unit.decision, "" if line else "a blank line of --target"
    found = choose_machine(unit.candidates, given.machine)
    if isinstance(found, str):
        return "", unit.decision, f"no machine translation ({found}; give the scored file with --target)"
    return found.text, found.decision or unit.decision, ""


def _missing(unit: Unit, languages: tuple[str, str], given: FeedbackInput, missing: str) -> str:
    """Return why the translation of a unit cannot be used; empty if it can."""
    wanted = zip(languages, given.languages, strict=False)
    if not all(is_language(language, name) for language, name in wanted):
        return "from {} to {}".format(*(language or "?" for language in languages))
    if not unit.is_to_translate:
        return UNIT_RULES["translate-no"]
    if not unit.translation:
        return UNIT_RULES["untranslated"]
    return missing or (f"{UNIT_RULES['unconfirmed']} ({unit.unconfirmed})" if unit.unconfirmed else "")
