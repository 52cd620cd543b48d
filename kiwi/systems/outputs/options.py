"""The options of the word-level and sentence-level outputs."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.labels.score_meaning import ScoreKind
from kiwi.exceptions import ConfigError
from kiwi.utils.io import BaseConfig, Weight

logger = logging.getLogger(__name__)

Distribution = Literal["truncated", "gaussian"]
DistributionLoss = Literal["nll", "kl"]


class ClassWeightsConfig(BaseConfig):
    """The weight of each label in the loss; labels that are not given have weight 1."""

    target_tags: dict[const.Label, Weight] = Field(default={"BAD": 3.0})
    """The weights of the tags of target words."""

    gap_tags: dict[const.Label, Weight] = Field(default={"BAD": 3.0})
    """The weights of the tags of gaps."""

    source_tags: dict[const.Label, Weight] = Field(default={"BAD": 3.0})
    """The weights of the tags of source words."""


class WordLevelConfig(BaseConfig):
    """The tags to predict."""

    target: bool = False
    """Whether to predict tags of target words."""

    gaps: bool = False
    """Whether to predict tags of the gaps between target words."""

    source: bool = False
    """Whether to predict tags of source words."""

    gap_hidden_size: Annotated[int, Field(ge=0, le=2**13)] = 0
    """The size of a hidden layer over the features of the two words beside a gap; 0 concatenates them instead."""

    class_weights: ClassWeightsConfig = ClassWeightsConfig()
    """The weights of the labels in the loss."""


class SentenceWeightsConfig(BaseConfig):
    """The weight of each label in the loss; labels that are not given have weight 1."""

    binary: dict[const.Label, Weight] = Field(default={})
    """The weights of the binary verdicts, such as ``BAD: 4.0`` where one segment in five is BAD."""


class SentenceLevelConfig(BaseConfig):
    """The sentence-level predictions."""

    hter: bool = False
    """Whether to predict the sentence score, which may be HTER or any other score."""

    use_distribution: bool = False
    """Whether to predict the score as mean and standard deviation of a Gaussian, trained with the negative
    log-likelihood. Ignored with a warning without ``hter``."""

    distribution: Distribution | None = Field(default=None, exclude_if=lambda value: value is None)
    """Form of the distribution: ``truncated``, a Gaussian truncated to [0, 1], as in OpenKiwi; or ``gaussian``, on any
    scale, which is that of the training data. By default, it is ``truncated`` for HTER, and for scores of unknown kind
    (``data.score.kind``) that are all in [0, 1], unless there are scores of several raters."""

    distribution_loss: DistributionLoss | None = Field(default=None, exclude_if=lambda value: value is None)
    """Loss of a ``gaussian`` distribution: ``nll``, the negative log-likelihood of the score (Kendall and Gal 2017,
    arXiv 1703.04977); or ``kl``, the Kullback-Leibler divergence from the Gaussian with mean and deviation of the
    raters (Zerva et al. 2022, arXiv 2204.06546). By default, it is ``kl`` with ``data.*.output.rater_scores``."""

    binary: bool = False
    """Whether to predict a binary verdict: the label of ``data.*.output.binary`` or, without such a file, BAD where the
    score is not exactly 0."""

    class_weights: SentenceWeightsConfig = Field(
        default=SentenceWeightsConfig(), exclude_if=lambda weights: not weights.binary
    )
    """The weights of the labels in the loss."""

    @model_validator(mode="after")
    def check_loss(self) -> SentenceLevelConfig:
        """Reject a loss that the distribution does not have."""
        if self.distribution == "truncated" and self.distribution_loss == "kl":
            raise ValueError("distribution_loss: kl needs distribution: gaussian; change one of the two")
        return self

    @field_validator("use_distribution")
    @classmethod
    def ignore_distribution_without_score(cls, value: bool, info: ValidationInfo) -> bool:
        """Switch a distribution without a score off, as OpenKiwi does."""
        if value and info.data.get("hter") is False:
            logger.warning("sentence_level.use_distribution is ignored: it has no effect without hter: true.")
            return False
        return value

    @property
    def is_truncated(self) -> bool:
        """Whether scores are distributed in [0, 1] only; so they are in systems whose options do not say it."""
        return self.use_distribution and self.distribution != "gaussian"

    def resolve(self, columns: Columns, kind: ScoreKind | None) -> SentenceLevelConfig:
        """Return the options with the form of the distribution, and its loss, where the training data decides them.

        Args:
            columns: the training data.
            kind: the kind of the scores, as far as it is declared.

        Raises:
            ConfigError: when the loss does not fit the distribution or the data.
        """
        if not self.use_distribution:
            for name in ("distribution", "distribution_loss"):
                if getattr(self, name) is not None:
                    logger.warning("sentence_level.%s is ignored: it needs use_distribution: true.", name)
            return self
        has_raters = const.SCORE_DEVIATIONS in columns
        form = self.distribution
        if form is None:
            scores = columns[const.SENTENCE_SCORES]  # NaN stands for a segment without a score
            in_range = kind == "hter" or not any(float(score) < 0.0 or float(score) > 1.0 for score in scores)
            form = "truncated" if kind in (None, "hter") and in_range and not has_raters else "gaussian"
            logger.info("Scores are predicted as a %s distribution (sentence_level.distribution).", form)
        loss = self.distribution_loss or ("kl" if form == "gaussian" and has_raters else "nll")
        place = "system.model.outputs.sentence_level.distribution_loss"
        if loss == "kl" and form != "gaussian":
            raise ConfigError(f"{place}: kl needs distribution: gaussian, but the system has a {form} one. Set nll.")
        if loss == "kl" and not has_raters:
            raise ConfigError(f"{place}: kl needs the scores of raters. Add data.*.output.rater_scores, or set nll.")
        return self.model_copy(update={"distribution": form, "distribution_loss": loss})
