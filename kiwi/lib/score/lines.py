"""Scores segments that become lines of output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.flags import COLUMN
from kiwi.data.segments.bad_rows import BadRows
from kiwi.lib.score.choices import are_scores_only, check_aligner, wants_flags, without_words
from kiwi.lib.score.deciding import Audit, Decider, add_decisions, without_group
from kiwi.lib.score.flagging import Flagger
from kiwi.lib.score.inputs import FIELDS, Input
from kiwi.lib.score.pairs import LanguagePairs
from kiwi.lib.score.scale import Scale, ScaleName
from kiwi.runner import Runner


@dataclass(frozen=True)
class LineScorer:
    """Scores chunks of segments."""

    runner: Runner

    scale: Scale
    """The scale of the scores."""

    fields: Sequence[str]
    """The fields of segments that are read."""

    pairs: LanguagePairs
    """What finds the language pairs of segments."""

    flagger: Flagger | None
    """What finds flags; None finds none."""

    decider: Decider | None
    """What decides which translations are approved; None if nothing does."""

    scores_only: bool
    """Whether to omit the outputs for words."""

    shows_flags: bool
    """Whether flags are written; a policy reads them in any case."""

    @classmethod
    def choose(
        cls,
        runner: Runner,
        segments: Input,
        *,
        scores_only: bool | None,
        flags: bool | None,
        languages: Sequence[str],
        scale: ScaleName | None,
        policy: Path | None,
        audit: Audit | None,
    ) -> LineScorer:
        """Return what scores the segments of an input; the arguments are those of :func:`kiwi.lib.score.stream.score`.

        Raises:
            ConfigError: when the system or the policy does not fit the input or the options.
        """
        shows_flags = wants_flags(flags, scores_only)
        flagger = Flagger.choose(languages, runner.about) if shows_flags or policy is not None else None
        scores_only = are_scores_only(runner, scores_only)
        written_on = Scale.choose(scale, runner)
        fields = [name for name in FIELDS if name in runner.about.input_fields]
        if const.ALIGNMENTS in fields and segments.lacks(const.ALIGNMENTS):
            fields.remove(const.ALIGNMENTS)
            runner.prepare_aligner()
        if (decider := Decider.choose(policy, runner.about, audit)) is not None:
            decider = decider.with_languages(languages)
            decider.check_given(segments.files or segments.columns, policy, needs_group=bool(segments.files))
            fields += [name for name in decider.fields if name not in decider.optional or not segments.lacks(name)]
        pairs = LanguagePairs.choose(runner.about, languages, segments.columns)
        if pairs.fields and not segments.lacks(const.LANGUAGE_PAIR) and not segments.is_bare_pipe:
            fields += pairs.fields
        return cls(runner, written_on, fields, pairs, flagger, decider, scores_only, shows_flags)

    @property
    def optional(self) -> tuple[str, ...]:
        """The fields that a pipe need not have."""
        return (const.ALIGNMENTS, *self.pairs.fields, *(self.decider.optional if self.decider is not None else ()))

    @property
    def advice(self) -> dict[str, str]:
        """The next step where a table lacks a column, by its name, for those that need a step of their own."""
        return self.decider.advice if self.decider is not None else {}

    def __call__(self, given: Columns, columns: Columns, bad: BadRows) -> dict[str, list[Any]]:
        """Return the columns that are written for a chunk of segments.

        Args:
            given: the fields of its segments.
            columns: the same without what cannot be used.
            bad: what happens to segments that cannot be used.
        """
        check_aligner(self.runner, columns)
        read = self.pairs.add(without_group(columns))
        predicted = self.runner.predict_columns(read).columns(targets=read[const.TARGET])
        if self.scores_only:
            predicted = without_words(predicted)
        found = self.scale.apply(predicted)
        flags = self.flagger.flag_columns(columns if bad.on_bad == "skip" else given) if self.flagger else None
        if flags is not None and self.shows_flags:
            found[COLUMN] = flags
        return found | add_decisions(self.decider, predicted, columns, flags)
