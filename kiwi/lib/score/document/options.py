"""The options of ``kiwi score`` for documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from kiwi.exceptions import ConfigError
from kiwi.lib.score.deciding import Audit
from kiwi.lib.score.flagging import check_languages
from kiwi.lib.score.inputs import COLUMNS
from kiwi.lib.score.scale import ScaleName
from kiwi.utils.io import did_you_mean
from kiwi.utils.structured.strict import STRICT, StrictOptions, UserPath

if TYPE_CHECKING:  # the formats of documents take a while to import
    from kiwi.data.documents.formats import Format


@dataclass(frozen=True, config=STRICT)
class DocumentOptions(StrictOptions):
    """What ``kiwi score`` does with a document.

    Raises:
        ConfigError: when an option is unknown or of another type.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each field, in tables; by default, the name of the field."""

    has_header: bool = True
    """Whether the first line of CSV and TSV has the names of the columns."""

    languages: Sequence[str] = ()
    """The languages of source and target, in documents with more than two and in those that do not say theirs."""

    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The score that divides good translations from those to review."""

    higher_is_better: bool | None = None
    """Whether a higher score is better; by default, what the system remembers of its scores."""

    set_state: bool = False
    """Whether translations that are worse than the threshold are marked for review."""

    scale: ScaleName | None = None
    """The scale of the scores; None is 0 to 100 in files of translations, if the system says what its scores mean."""

    words: bool = False
    """Whether the predictions for words are asked for, which only tables have place for."""

    scores_only: bool | None = False
    """Whether tables get no columns for words; None if the system predicts scores."""

    flags: bool | None = None
    """Whether flags are added; None adds them unless ``scores_only`` is set."""

    policy: UserPath | None = None
    """The policy that decides which translations are approved; ``~`` is the home directory."""

    audit: Audit | None = None
    """The sample of approved translations that are reviewed all the same."""

    is_live: bool = False
    """Whether each row of a table is written before the next one is read."""

    def check(self, path: Path, form: Format) -> None:
        """Check that the options fit the format of a document.

        Args:
            path: the document.
            form: its format.

        Raises:
            ConfigError: when they do not, or not each other.
        """
        if self.set_state and self.threshold is None and self.policy is None:
            raise ConfigError(
                "--set-state marks translations worse than a threshold. Add --threshold SCORE, or --policy."
            )
        if self.policy is not None and self.threshold is not None:
            raise ConfigError("--threshold: the policy has thresholds of its own. Remove one of the two.")
        if self.policy is not None and self.higher_is_better is not None:
            option = "--higher-is-better" if self.higher_is_better else "--lower-is-better"
            raise ConfigError(f"{option}: for --threshold; the policy knows the direction of its scores. Remove it.")
        if self.set_state and not form.has_state:
            raise ConfigError(f"--set-state: {path} is {form.name}, which has no state of translations. Remove it.")
        if not self.has_header and not form.has_header:
            raise ConfigError(f"--no-header: {path} is {form.name}, which has no line of column names. Remove it.")
        for name in self.columns:
            if name not in COLUMNS:
                raise ConfigError(f"--columns: '{name}' is not a field; {did_you_mean(name, COLUMNS)}")
        if len(set(self.columns.values())) < len(self.columns):
            raise ConfigError("--columns: found the same column for several fields. Name one for each.")
        if self.columns and not form.is_table:
            raise ConfigError(f"--columns names columns of a table, but {path} is {form.name}. Remove it.")
        if self.threshold is not None and not form.has_state:
            raise ConfigError(f"--threshold: {path} is {form.name}, which has no place for it. Remove it.")
        if self.higher_is_better is not None and not form.has_state:
            option = "--higher-is-better" if self.higher_is_better else "--lower-is-better"
            raise ConfigError(f"{option}: for --set-state, but {path} is {form.name}, which has no state. Remove it.")
        if self.words and not form.is_table:
            raise ConfigError(f"--words: {path} is {form.name}, which has no place for them. Remove it.")
        if self.languages and not (form.has_languages or form.is_table):
            raise ConfigError(f"--languages: {path} is {form.name}, which says its languages. Remove it.")
        check_languages(self.languages)
        if self.is_live and not (form.is_table and form.is_text):
            raise ConfigError(f"--stream: {path} is {form.name}, which is written as a whole. Remove it.")

    def check_unused(self) -> None:
        """Check that there is no option that only documents have.

        Raises:
            ConfigError: when there is one.
        """
        given = {
            "--threshold": self.threshold is not None,
            "--set-state": self.set_state,
            "--higher-is-better and --lower-is-better": self.higher_is_better is not None,
        }
        if found := [name for name, is_given in given.items() if is_given]:
            raise ConfigError(f"{', '.join(found)}: for files of translations, such as XLIFF. Give FILE and -o.")
