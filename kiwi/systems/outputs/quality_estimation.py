"""The outputs of a QE system, and their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from kiwi import constants as const
from kiwi.data.batch import QEBatch
from kiwi.data.files.lines import Columns
from kiwi.data.labels.spans.options import SpanLevelConfig
from kiwi.exceptions import ConfigError, DataError
from kiwi.metrics.accumulators import Accumulator, ScoreMetrics, SpanMetrics, TagMetrics, VerdictMetrics
from kiwi.outputs import OUTPUTS, Kind, OutputSpec, names as output_names, switched_on
from kiwi.systems.features import Features, FeatureSizes
from kiwi.systems.outputs.base import Output
from kiwi.systems.outputs.options import SentenceLevelConfig, WordLevelConfig
from kiwi.systems.outputs.sentence_level import ScoreOutput
from kiwi.systems.outputs.span_level import SpanOutput
from kiwi.utils.io import BaseConfig, Layers, Weight, did_you_mean


class QEOutputs(nn.Module):
    """The configured outputs by name.

    Args:
        config: the options of the outputs.
        sizes: the sizes of the decoder's features.
    """

    class Config(BaseConfig):
        """The options of ``system.model.outputs``."""

        word_level: WordLevelConfig = WordLevelConfig()
        """The tags to predict."""

        sentence_level: SentenceLevelConfig = SentenceLevelConfig()
        """The sentence-level predictions."""

        span_level: SpanLevelConfig | None = Field(default=None, exclude_if=lambda options: options is None)
        """The error spans to predict; an empty mapping, or true, turns them on with default options."""

        sentence_loss_weight: Weight = 1.0
        """The weight of the sentence-level losses; word-level losses have weight 1."""

        dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
        """The dropout probability, in [0, 1), of the features and between the layers of sentence-level outputs."""

        last_activation: bool = False
        """Whether to keep regressed scores in [0, 1] by a sigmoid."""

        n_layers_output: Layers = 3
        """The number of layers of the feed-forward network of each sentence-level output."""

        custom: dict[str, Any] = Field(default={}, exclude_if=lambda options: not options)
        """Outputs that were added to :data:`kiwi.outputs.OUTPUTS`, by name: their options, or ``true`` for an output
        without options."""

        @field_validator("span_level", mode="before")
        @classmethod
        def switch_spans(cls, value: Any) -> Any:
            """Accept true and false."""
            return {True: {}, False: None}.get(value, value) if isinstance(value, bool) else value

        @field_validator("custom")
        @classmethod
        def check_custom(cls, custom: dict[str, Any]) -> dict[str, Any]:
            """Let each output validate its options."""
            checked: dict[str, Any] = {}
            for name, options in custom.items():
                spec = OUTPUTS.get(name)
                if spec is None or spec.switch != f"custom.{name}":
                    known = [each.name for each in OUTPUTS.values() if each.switch == f"custom.{each.name}"]
                    raise ValueError(
                        f"'{name}' is not an output that was added to kiwi.outputs.OUTPUTS; add its row before the "
                        f"configuration is read ({did_you_mean(name, known)})"
                    )
                if options is False or options is None:
                    checked[name] = False
                else:
                    checked[name] = module_of(spec).Config.model_validate({} if options is True else options)
            return checked

        @property
        def names(self) -> list[str]:
            """The outputs that are on, in the order in which their metrics are listed."""
            return switched_on(self)

        @property
        def metric_names(self) -> list[str]:
            """The metrics of all outputs, the main one of each first, without the prefix ``val_``."""
            return metrics_of(self.names)

        def check_labels(self, columns: Columns, places: Mapping[str, object], *, is_numbered: bool = True) -> None:
            """Check that the data has the labels that the outputs need.

            Args:
                columns: the data, with every label field.
                places: the file of each label field, for error messages.
                is_numbered: whether segments have the numbers of their lines.

            Raises:
                DataError: when gap tags are missing, or scores are outside of the range that the options imply.
            """
            gaps = [OUTPUTS[name].switch for name in self.names if OUTPUTS[name].unit == "gap"]
            if gaps and const.GAP_TAGS not in columns:
                raise DataError.at(
                    places[const.TARGET_TAGS],
                    None,
                    found="one tag per word",
                    expected=f"tags interleaved with gaps (2n+1 per line), because outputs.{gaps[0]} is on",
                )
            is_truncated = self.sentence_level.is_truncated
            bounded, advice = "last_activation", "Remove it, or correct the score."
            if is_truncated:
                bounded = "use_distribution"
                advice = "For another scale, set outputs.sentence_level.distribution=gaussian in a new system."
            if self.sentence_level.hter and (is_truncated or self.last_activation):
                for number, score in enumerate(columns[const.SENTENCE_SCORES], start=1):
                    if float(score) < 0.0 or float(score) > 1.0:  # NaN stands for a segment without a score
                        raise DataError.at(
                            places[const.SENTENCE_SCORES],
                            number if is_numbered else None,
                            found=f"the score {score}",
                            expected=f"scores from 0 to 1, because {bounded} is on",
                            advice=advice,
                        )

        @model_validator(mode="after")
        def check_any(self) -> QEOutputs.Config:
            """Require an output, and reject ``last_activation`` where it has no effect."""
            if not self.names:
                switches = ", ".join(spec.switch for spec in OUTPUTS.values())
                raise ValueError(f"no output is on: set one of {switches}")
            if self.last_activation and self.sentence_level.use_distribution:
                raise ValueError("last_activation cannot be combined with use_distribution; remove one of the two")
            return self

    def __init__(self, config: Config, sizes: FeatureSizes) -> None:
        super().__init__()
        self.config = config
        modules = {name: module_of(OUTPUTS[name]).build(name, config, sizes) for name in config.names}
        self.by_name = nn.ModuleDict(modules)
        self.unseen_scores: ScoreOutput | None = None
        """The scores that spans depend on, if they are not predicted themselves."""
        if config.span_level is not None and const.SENTENCE_SCORES not in modules:
            needing = {"score_weight": 0, "combined_from": "spans"}
            wrong = [name for name, without in needing.items() if getattr(config.span_level, name) != without]
            if wrong:
                found = ", ".join(f"{name}: {getattr(config.span_level, name)}" for name in wrong)
                without_scores = " and ".join(f"{name}: {needing[name]}" for name in wrong)
                raise ConfigError(
                    f"outputs.span_level: found {found}, but sentence_level.hter is off; turn it on, or set "
                    f"{without_scores}."
                )

    @property
    def score_weight(self) -> float:
        """By how much each unit of the score raises the log-odds that a piece is OK."""
        return 0.0 if self.config.span_level is None else self.config.span_level.score_weight

    def items(self) -> list[tuple[str, Output]]:
        """Return pairs of name and output."""
        return list(self.by_name.items())  # type: ignore[arg-type]

    def restrict(self, names: Sequence[str]) -> None:
        """Remove all outputs but the given ones, and scores that these depend on."""
        if self.score_weight and const.ERROR_SPANS in names and const.SENTENCE_SCORES not in names:
            self.unseen_scores = self._scores
        self.by_name = nn.ModuleDict({name: self.by_name[name] for name in names})

    def fit(self, columns: Columns, new_weights: Sequence[str] = ("outputs.",)) -> None:
        """Set the scale of the scores, and the labels of spans to train, from the training data.

        Args:
            columns: the training data.
            new_weights: prefixes of newly initialized weights; all other outputs keep the scale that was loaded.
        """
        for name, output in self.items():
            if isinstance(output, SpanOutput) and output.label_field in columns:
                output.fit(columns[output.label_field])
            if not f"outputs.by_name.{name}.".startswith(tuple(new_weights)):
                continue
            if isinstance(output, ScoreOutput) and output.label_field in columns:
                output.fit([float(score) for score in columns[output.label_field]])

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return the logits of each output."""
        logits = {name: output(features) for name, output in self.items()}
        if self.score_weight and const.ERROR_SPANS in logits:
            own = logits.get(const.SENTENCE_SCORES)
            scores = self._scores.scores(self._scores(features) if own is None else own).detach()
            spans = self.by_name[const.ERROR_SPANS]
            assert isinstance(spans, SpanOutput)
            logits[const.ERROR_SPANS] = spans.shift(logits[const.ERROR_SPANS], self.score_weight * scores)
        return logits

    @property
    def _scores(self) -> ScoreOutput:
        found = self.unseen_scores or self.by_name[const.SENTENCE_SCORES]
        assert isinstance(found, ScoreOutput)
        return found

    def loss(self, logits: Mapping[str, Tensor], batch: QEBatch[Tensor]) -> dict[str, Tensor]:
        """Return the unweighted loss of each output, and ``loss``, their weighted sum; scalars."""
        losses = {name: output.loss(logits[name], batch) for name, output in self.items()}
        weights = dict.fromkeys(output_names(unit="segment"), self.config.sentence_loss_weight)
        if self.config.span_level is not None:
            weights[const.ERROR_SPANS] = self.config.span_level.loss_weight
        total = torch.stack([loss * weights.get(name, 1.0) for name, loss in losses.items()]).sum()
        return {f"{name}_loss": loss for name, loss in losses.items()} | {"loss": total}

    def accumulators(self) -> dict[str, Accumulator]:
        """Create empty accumulators by output, and one for target and gaps together if both are predicted."""
        accumulators = {name: _accumulator(name) for name, _ in self.items()}
        if const.TARGET_TAGS in accumulators and const.GAP_TAGS in accumulators:
            accumulators[const.WMT19] = TagMetrics(const.WMT19)
        return accumulators

    def update(
        self, accumulators: Mapping[str, Accumulator], logits: Mapping[str, Tensor], batch: QEBatch[Tensor]
    ) -> None:
        """Add a batch to the accumulators."""
        for name, output in self.items():
            output.update(accumulators[name], logits[name], batch)
            if const.WMT19 in accumulators and name in (const.TARGET_TAGS, const.GAP_TAGS):
                output.update(accumulators[const.WMT19], logits[name], batch)

    def values(self, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the predictions of all outputs by name, segments first: probabilities of BAD, and scores."""
        values: dict[str, Tensor] = {}
        for name, output in self.items():
            values |= output.values(logits[name])
        return values


ACCUMULATORS: dict[Kind, Callable[[str], Accumulator]] = {
    "tags": TagMetrics,
    "score": ScoreMetrics,
    "verdict": VerdictMetrics,
    "spans": SpanMetrics,
}
"""The validation metrics of each kind of output."""


def _accumulator(name: str) -> Accumulator:
    return ACCUMULATORS[OUTPUTS[name].kind](name)


def metrics_of(outputs: Sequence[str]) -> list[str]:
    """Return the metrics of outputs, the main one of each first, without the prefix ``val_``.

    Args:
        outputs: the names of the outputs.
    """
    names = [metric for name in outputs for metric in _accumulator(name).names]
    both = {const.TARGET_TAGS, const.GAP_TAGS} <= {*outputs}
    return names + list(TagMetrics(const.WMT19).names if both else ())


def module_of(spec: OutputSpec) -> type[Output]:
    """Import the class that computes an output.

    Args:
        spec: the output's row.
    """
    module, _, name = spec.module.partition(":")
    try:
        found: type[Output] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"the module '{spec.module}' of the output '{spec.name}' cannot be imported ({error}); expected "
            "package.module:Class"
        ) from error
    return found
