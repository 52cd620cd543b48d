"""The language pairs of the training data, where each segment has one (``data.*.input.lp``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.data.labels.score_options import ScoreConfig, find_meaning
from kiwi.data.languages import is_same_language
from kiwi.data.sampling import GroupSampling
from kiwi.data.text.language_pairs import count_pairs, listed, split_pair
from kiwi.data.text.tokenization import share_of_marks_alone
from kiwi.exceptions import ConfigError
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.utils.io import did_you_mean

logger = logging.getLogger("kiwi.lib.train")

Languages = tuple[str, ...]


def has_pairs(data: Any) -> bool:
    """Return whether the training data has language pairs.

    Args:
        data: the options of ``data``, validated or as given.
    """
    place = data
    for key in ("train", "input", const.LANGUAGE_PAIR):
        place = place.get(key) if isinstance(place, Mapping) else getattr(place, key, None)
    return place is not None


def describe_data(data: Any, train: Mapping[str, Sequence[str]], valid: Mapping[str, Sequence[str]]) -> DataInfo:
    """Return what a checkpoint records about its training data.

    Args:
        data: the options of ``data``.
        train: the columns of the training data.
        valid: the columns of the validation data.

    Raises:
        ConfigError: when ``data.source_language`` or ``target_language`` is given and lacks a language of the pairs.
    """
    pairs = tuple(count_pairs(train.get(const.LANGUAGE_PAIR, ())))
    source, target = _merge(data.languages, pairs) if pairs else data.languages
    return DataInfo(
        source_language=source,
        target_language=target,
        train_segments=len(train[const.SOURCE]),
        valid_segments=len(valid[const.SOURCE]),
        source_marks_alone=share_of_marks_alone(train[const.SOURCE]),
        target_marks_alone=share_of_marks_alone(train[const.TARGET]),
        language_pairs=pairs,
        labels_from=getattr(data, "labels_from", None),
        score=_score_meaning(data, train),
    )


def _score_meaning(data: Any, train: Mapping[str, Sequence[str]]) -> ScoreMeaning | None:
    """Return what the sentence scores of the training data mean, where it has some and it is known."""
    config = getattr(data, "score", None)
    if config is None:
        return None
    if data.score_file(data.train) is None:
        if config != ScoreConfig():
            raise ConfigError(
                "data.score: the data has no sentence scores. Add data.train.output.sentence_scores, or "
                "remove data.score."
            )
        return None
    path = data.score_file(data.train)
    if data.spans.as_scores:
        config = _penalties(config)
    scores = list(map(float, train[const.SENTENCE_SCORES]))
    meaning = find_meaning(config, scores, path, is_numbered=data.is_numbered)
    if meaning is None:
        logger.warning(
            "%s: kind and direction of the scores are unknown. Set data.score.kind (hter, da, mqm, esa or other), so "
            "that everybody who uses the system knows what its scores mean.",
            path,
        )
    else:
        logger.info("Sentence scores: %s.", meaning)
    return meaning


def _penalties(config: ScoreConfig) -> ScoreConfig:
    """Return the options of scores that are penalties of error spans.

    Raises:
        ConfigError: when the options say something else.
    """
    if config.kind not in (None, "mqm") or config.higher_is_better:
        raise ConfigError(
            "data.score: found another kind or direction, but data.spans.as_scores makes penalties of MQM, where lower "
            "is better. Remove kind and higher_is_better."
        )
    return config.model_copy(update={"kind": "mqm", "higher_is_better": False})


def _merge(given: tuple[Languages, Languages], pairs: Languages) -> tuple[Languages, Languages]:
    """Return the languages of source and target: those that are given or else those of the pairs."""
    found = tuple(tuple(dict.fromkeys(side)) for side in zip(*map(split_pair, pairs), strict=True))
    for side, own, of_pairs in zip(("source", "target"), given, found, strict=True):
        lacking = [tag for tag in of_pairs if own and not any(is_same_language(tag, other) for other in own)]
        if lacking:
            raise ConfigError(
                f"data.{side}_language: found {', '.join(own)}, but data.train.input.lp has {', '.join(lacking)} too. "
                "Remove the option, since the pairs say the languages, or add it there."
            )
    return given[0] or found[0], given[1] or found[1]


def check_metrics_of_pairs(main_metric: Sequence[str], valid: Columns, known: Sequence[str]) -> None:
    """Check that the main metrics that name a language pair are those of pairs of the validation data.

    Raises:
        ConfigError: when the validation data has no such pair.
    """
    pairs = count_pairs(valid.get(const.LANGUAGE_PAIR, ()))
    for name in main_metric:
        if name not in known and name.partition("_")[0] not in pairs:
            names = [f"{pair}_{metric}" for pair in pairs for metric in known]
            raise ConfigError(
                f"trainer.main_metric: '{name}' is the metric of a language pair that the validation data lacks; "
                f"{did_you_mean(name, names)}"
            )


def note_pairs(train: Sequence[str], valid: Mapping[str, int], sampling: GroupSampling | None) -> None:
    """Log what the language pairs mean for training, and warn of those without training or validation data."""
    if valid:
        logger.info(
            "Validation has a figure for each of %d language pairs; models are compared by the mean of the pairs, "
            "unless trainer.main_metric names one.",
            len(valid),
        )
    if unseen := [pair for pair in valid if pair not in train]:
        logger.warning("The validation data has language pairs without training data: %s.", listed(unseen))
    if unvalidated := [pair for pair in train if pair not in valid]:
        logger.warning("Language pairs without validation data are not part of the mean: %s.", listed(unvalidated))
    if sampling is not None:
        counts = listed([f"{pair} {n:,}" for pair, n in sampling.counts.items()])
        logger.info("Segments of each language pair in an epoch (data.pair_temperature): %s.", counts)
