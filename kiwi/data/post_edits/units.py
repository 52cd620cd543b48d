"""Units of translation, with what a machine suggested and what a person made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

FILE, IDENTIFIER, USER = "file", "id", "user"

COLUMNS = (FILE, IDENTIFIER, USER)
"""What a unit may say beside its texts: the name of its document, its own, and that of the person who edited it."""

START = r"(?:(?<![^\W\d_])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"
END = r"(?:(?![^\W\d_])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"
"""The start and the end of a word, as in ``deepl-pro`` and in ``DeepLPro``."""

PRODUCT = r"(?:trans[a-z]*+|[ans]?mt|pro|apis?|aws|cloud|automl|azure|v(?=\d))"
"""What follows the name of a company in that of its machine translation."""

PAIR = r"(?:[a-z]{2}(?:[-_][A-Z]{2})?[-_>/]+[a-z]{2}|[A-Z]{2}[-_>/]+[A-Z]{2})"
"""A language pair, such as ``en-de``, ``en-US-de-DE`` or ``EN>DE``."""

MACHINE = re.compile(
    rf"{START}(?i:deepl|microsoft|modernmt|systran|yandex|baidu)|(?i:gpt)"
    rf"|{START}(?i:(?:[ans]?mt|rbmt|machine|llms?|google|amazon){PRODUCT}*){END}"  # Amazonas and Machinek are people
    rf"|^[\W\d_]*(?i:bing)[\W\d_]*$|{START}(?i:bing)[\W_]*(?:(?i:{PRODUCT}+|com)|{PAIR}){END}"  # so is Bing Wang
)
"""What the name of an origin or a tool has in it, if translations of it are a machine's."""

DOMAIN = re.compile(r"@(?!(?:[\w-]+\.)*(?:deepl|modernmt|systran)\.)[\w.-]+")
"""The domain of an address, which is that of an employer or a provider, if it offers more than machine translation."""

QUALITY = re.compile(r"\d+(\.\d+)?")

UNCONFIRMED_STATES = ("new", "initial")
"""States of translations that nobody has confirmed, beside those that begin with ``needs-``."""

UNIT_RULES = {
    "language": "a unit of other languages than those of --languages",
    "translate-no": 'a unit that is not to be translated (translate="no")',
    "untranslated": "a unit without a translation that a person has made",
    "no-mt": "a unit without a machine translation",
    "unconfirmed": "a translation that nobody has confirmed",
}
"""The rules by which units of files of translators are left out, in the order in which they are applied."""

SWITCHABLE = ("translate-no", "unconfirmed")
"""Those that leave out units which have all texts."""


Decided = tuple[str, str]
"""The decision of a policy about a translation, and the reason."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A translation that a tool has suggested."""

    text: str

    names: Sequence[str]
    """The names of its origin and its tool; empty if it has none."""

    quality: float = 0.0
    """How well it matches, in percent."""

    is_memory: bool = False
    """Whether it is said to be of another kind, such as one of a translation memory, whatever its names."""

    decision: Decided | None = None
    """What a policy decided about it, if the file says it of each candidate."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A segment of a file of translators."""

    line: int
    """The number of its line."""

    name: tuple[str, ...]
    """What identifies it in its file."""

    source: str
    translation: str
    """What a person has made of it; empty if nobody has."""

    languages: tuple[str, str]
    """The languages of source and translation; empty where the file does not say."""

    candidates: Sequence[Candidate] = ()
    is_to_translate: bool = True

    unconfirmed: str = ""
    """Why nobody seems to have confirmed the translation; empty if somebody has, or the file does not say."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """What else it says, of :data:`COLUMNS`."""

    decision: Decided | None = None
    """What a policy decided about the translation, before a person edited it."""

    rated_by: str = ""
    """The fingerprint of the system that scored the translation, if the file says it."""


def is_machine(names: Iterable[str], wanted: str | None = None) -> bool:
    """Return whether names of an origin or a tool are those of machine translation.

    Args:
        names: the names.
        wanted: a part of the name of the machine translation that is wanted; None is any name with
            :data:`MACHINE` in it.
    """
    if wanted is not None:
        return any(wanted.casefold() in name.casefold() for name in names)
    return any(MACHINE.search(DOMAIN.sub("", name)) for name in names)


def choose_machine(candidates: Sequence[Candidate], wanted: str | None = None) -> Candidate | str:
    """Return the machine translation among candidates, or the reason why there is none.

    It is the one whose origin or tool is a machine; of several ones, the one that matches best, or else the first. A
    single candidate without any name is taken too.

    Args:
        candidates: the candidates of a unit.
        wanted: a part of the name of the origin or tool that is wanted.
    """
    candidates = [each for each in candidates if each.text]
    if not candidates:
        return "no candidate"
    found = [each for each in candidates if is_machine(each.names, wanted) and (wanted or not each.is_memory)]
    if not found and wanted is None and len(candidates) == 1 and not (candidates[0].names or candidates[0].is_memory):
        found = list(candidates)
    if not found:
        origins = sorted({"/".join(each.names) or "no origin" for each in candidates})
        return f"{len(candidates)} candidate{'s' * (len(candidates) > 1)}, from {', '.join(origins)}"
    return max(found, key=lambda each: each.quality)


def names_of(attributes: Mapping[str, str], keys: Sequence[str]) -> list[str]:
    """Return the names that some attributes have, without repeated and empty ones."""
    return list(dict.fromkeys(value for key in keys if (value := attributes.get(key, "").strip())))


def quality_of(text: str) -> float:
    """Return the number of a match quality such as ``87%``; 0 without one."""
    found = QUALITY.search(text)
    return float(found[0]) if found else 0.0


def is_unconfirmed(state: str) -> bool:
    """Return whether a state of XLIFF says that nobody has confirmed the translation."""
    return state in UNCONFIRMED_STATES or state.startswith("needs-")


def columns_of(**values: str) -> dict[str, str]:
    """Return the values that a unit has of :data:`COLUMNS`."""
    return {name: value for name, value in values.items() if value}
