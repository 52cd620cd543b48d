"""The outputs of quality estimation systems: one table, which the rest of kiwi reads.

To add an output, add a row to :data:`OUTPUTS` and write its module, a subclass of
:class:`kiwi.systems.outputs.base.Output`. Training, checkpoints, prediction, files, tables, evaluation, exports and the
model card follow from the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kiwi import constants as const

Kind = Literal["tags", "score", "verdict", "spans"]
"""``tags``: a probability of BAD for each unit of a segment; ``score``: a number for each segment; ``verdict``: a
probability of BAD for each segment; ``spans``: the errors of each segment. Metrics, files and table columns depend on
it."""

Unit = Literal["target word", "gap", "source word", "segment", "target piece"]

ColumnKind = Literal["text", "texts", "number", "numbers", "spans"]
"""The type of a table's column: a value, a list of values, or a list of error spans per segment."""

MQM_SCORE, COMBINED_SCORE = SPAN_SCORES = ("mqm_score", "combined_score")
"""The scores that follow from error spans: the penalty of MQM and, beside a regressed score, both together."""

BESIDE_SCORES = ("deviation", "low", "high")
"""What may stand beside a score: its standard deviation, and the ends of its interval."""

SubmissionLevel = Literal["sentence", "word", "span"]


@dataclass(frozen=True)
class OutputSpec:
    """A row of the table of outputs."""

    name: str
    """The name of the output in files, batches, losses and predictions."""

    kind: Kind
    """The form of the output's values."""

    unit: Unit
    """The unit that each value is about."""

    switch: str
    """The option below ``system.model.outputs`` that turns it on, such as ``word_level.target``."""

    module: str
    """The class that computes it, as ``package.module:Class``; it is imported when a system is built."""

    attribute: str
    """The attribute of :class:`kiwi.runner.Predictions` (for ``tags`` and ``verdict``, the prefix of two
    attributes)."""

    label_field: str
    """The file below ``data.*.output`` that it learns from."""

    gold_field: str
    """The file below ``gold_files`` that ``kiwi evaluate`` compares it with."""

    title: str
    """A heading for tables and figures."""

    description: str
    """A description of what it predicts, which ends the sentence "It predicts ..."."""

    submission: SubmissionLevel | None = None
    """The level of the submissions to shared tasks that it is part of."""

    has_distribution: bool = False
    """Whether a score may come with a standard deviation (``sentence_level.use_distribution``)."""

    is_bad: Callable[[Any], Any] | None = None
    """For a verdict, which values of its label field count as BAD; takes and returns an array or a tensor."""

    verdict_field: str | None = None
    """For a verdict, a file below ``data.*.output`` with OK or BAD, which is used in the place of its label field."""

    @property
    def label_fields(self) -> tuple[str, ...]:
        """The files below ``data.*.output`` that it can learn from; the last one that is given is used."""
        return (self.label_field,) if self.verdict_field is None else (self.label_field, self.verdict_field)

    @property
    def is_word_level(self) -> bool:
        """Whether the output has a list of values per segment."""
        return self.unit != "segment"

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of :class:`kiwi.runner.Predictions`: values first, then labels, or deviations and the ends of
        intervals.
        """
        if self.kind == "spans":
            return (self.attribute, *SPAN_SCORES)
        if self.kind == "score":
            return (self.attribute, *(f"{self.attribute}_{what}" for what in BESIDE_SCORES if self.has_distribution))
        return f"{self.attribute}_BAD_probabilities", f"{self.attribute}_labels"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of tables, in the order of :attr:`attributes`."""
        if self.kind == "spans":
            return (self.name, *SPAN_SCORES)
        beside = BESIDE_SCORES if self.kind == "score" else ("labels",)
        return (self.name, *(f"{self.name}_{what}" for what in beside))[: len(self.attributes)]

    @property
    def intervals(self) -> str:
        """The file of the intervals of a score, such as ``sentence_intervals``."""
        return f"{self.name.removesuffix('_scores')}_intervals"

    @property
    def extras(self) -> str:
        """The file of means and standard deviations of a score."""
        return f"{self.name}_extras"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files that predictions may have for the output."""
        if self.kind == "spans":
            return (self.name, *SPAN_SCORES)
        if self.kind == "score":
            return (self.name, self.extras, self.intervals) if self.has_distribution else (self.name,)
        return self.name, f"{self.name}_labels"

    def is_on(self, options: object) -> bool:
        """Whether ``system.model.outputs`` turns it on.

        Args:
            options: a configuration, or a mapping of its options.
        """
        for part in self.switch.split("."):
            options = options.get(part) if isinstance(options, Mapping) else getattr(options, part, None)
        return options is not None and options is not False


OUTPUTS: dict[str, OutputSpec] = {
    spec.name: spec
    for spec in (
        OutputSpec(
            name=const.TARGET_TAGS,
            kind="tags",
            unit="target word",
            switch="word_level.target",
            module="kiwi.systems.outputs.word_level:WordLevelOutput",
            attribute=const.TARGET_TAGS,
            label_field=const.TARGET_TAGS,
            gold_field=const.TARGET_TAGS,
            title="Target words",
            description="OK or BAD for each word of the translation, with the probability of BAD",
            submission="word",
        ),
        OutputSpec(
            name=const.GAP_TAGS,
            kind="tags",
            unit="gap",
            switch="word_level.gaps",
            module="kiwi.systems.outputs.word_level:GapOutput",
            attribute=const.GAP_TAGS,
            label_field=const.TARGET_TAGS,  # interleaved with the tags of words
            gold_field=const.TARGET_TAGS,
            title="Gaps",
            description="OK or BAD for each gap between the words of the translation; BAD means that words are missing",
            submission="word",
        ),
        OutputSpec(
            name=const.SOURCE_TAGS,
            kind="tags",
            unit="source word",
            switch="word_level.source",
            module="kiwi.systems.outputs.word_level:WordLevelOutput",
            attribute=const.SOURCE_TAGS,
            label_field=const.SOURCE_TAGS,
            gold_field=const.SOURCE_TAGS,
            title="Source words",
            description="OK or BAD for each word of the source; BAD means that it was mistranslated",
            submission="word",
        ),
        OutputSpec(
            name=const.SENTENCE_SCORES,
            kind="score",
            unit="segment",
            switch="sentence_level.hter",
            module="kiwi.systems.outputs.sentence_level:ScoreOutput",
            attribute="sentences_hter",
            label_field=const.SENTENCE_SCORES,
            gold_field=const.SENTENCE_SCORES,
            title="Sentence scores",
            description="a score for each segment, on the scale of the training data (such as HTER or DA)",
            submission="sentence",
            has_distribution=True,
        ),
        OutputSpec(
            name=const.BINARY,
            kind="verdict",
            unit="segment",
            switch="sentence_level.binary",
            module="kiwi.systems.outputs.binary:BinaryOutput",
            attribute="sentences_binary",
            label_field=const.SENTENCE_SCORES,
            gold_field=const.BINARY,
            title="Binary verdicts",
            description="OK or BAD for each segment: whether it needs any edit or, if the system has learned from "
            "verdicts, what these say, such as a critical error",
            is_bad=lambda scores: scores != 0,
            verdict_field=const.BINARY,
        ),
        OutputSpec(
            name=const.ERROR_SPANS,
            kind="spans",
            unit="target piece",
            switch="span_level",
            module="kiwi.systems.outputs.span_level:SpanOutput",
            attribute=const.ERROR_SPANS,
            label_field=const.ERROR_SPANS,
            gold_field="spans",
            title="Error spans",
            submission="span",
            description="the errors of the translation: their first and last character, severity and probability, and "
            "the penalty of MQM that follows",
        ),
    )
}
"""The outputs by name, in the order in which their metrics are listed."""


def names(outputs: Iterable[str] | None = None, *, kind: Kind | None = None, unit: Unit | None = None) -> list[str]:
    """Return the names of outputs, in the order of the table.

    Args:
        outputs: the names to choose from; by default, all outputs.
        kind: only outputs of this kind.
        unit: only outputs of this unit.
    """
    chosen = OUTPUTS if outputs is None else {*outputs}
    return [
        spec.name
        for spec in OUTPUTS.values()
        if spec.name in chosen and kind in (None, spec.kind) and unit in (None, spec.unit)
    ]


def in_order_of_columns() -> list[OutputSpec]:
    """Return the outputs in the order of their columns in tables: those for segments precede those for words."""
    return sorted(OUTPUTS.values(), key=lambda each: each.is_word_level)


def switched_on(options: object) -> list[str]:
    """Return the names of the outputs that ``system.model.outputs`` turns on.

    Args:
        options: a configuration, or a mapping of its options.
    """
    return [spec.name for spec in OUTPUTS.values() if spec.is_on(options)]


def column_kinds() -> dict[str, ColumnKind]:
    """Return the type of each column that predictions may have in a table."""
    kinds: dict[str, ColumnKind] = {}
    for spec in OUTPUTS.values():
        for column in spec.columns:
            if spec.kind == "spans":
                kinds[column] = "number" if column in SPAN_SCORES else "spans"
            elif column.endswith("_labels"):
                kinds[column] = "texts" if spec.is_word_level else "text"
            else:
                kinds[column] = "numbers" if spec.is_word_level else "number"
    return kinds
