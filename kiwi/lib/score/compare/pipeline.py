"""Score the translations of several systems, and compare the systems: ``kiwi compare``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiwi import constants as const
from kiwi.data.text.language_pairs import count_pairs, normalize_pair
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.console.progress import Progress
from kiwi.lib.score.compare.compared import Compared, CompareOptions
from kiwi.lib.score.compare.given import Given
from kiwi.lib.score.compare.translations import Translations, Unusable
from kiwi.lib.score.scale import Scale
from kiwi.metrics.comparison import TEST, Comparison, compare_systems, most_different
from kiwi.outputs import OUTPUTS
from kiwi.pages.comparison import ComparisonFigures, Segment, comparison_page
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.runner.options import PredictOptions
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.io import write_json, write_text
from kiwi.utils.written import optional_path

logger = logging.getLogger(__name__)

CHUNK_SIZE = 4096
"""The number of segments that are scored together."""

FEW_SEGMENTS = 30
"""The number of segments below which intervals and tests by the bootstrap are too optimistic."""


def compare(
    model: str | Path,
    given: Given,
    *,
    what: CompareOptions | None = None,
    report: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    options: PredictOptions | None = None,
) -> Compared:
    """Compare systems by the scores of their translations of the same segments.

    Args:
        model: a checkpoint, an exported system, or a name on the hub, which scores the translations.
        given: the translations.
        what: the options of the comparison.
        report: the page to write, HTML.
        output: the file to write with all results, JSON.
        overwrite: whether files may be replaced that kiwi has not written.
        options: how to load the system, and how it predicts.

    Raises:
        ConfigError: when options are incompatible, or it is not known which scores are good.
        DataError: when a file or segment cannot be used; the message names file and line.
        CheckpointError: when the system cannot be loaded.
    """
    what, options = what or CompareOptions(), options or PredictOptions()
    report, output = optional_path(report), optional_path(output)
    written = [path for path in (report, output) if path is not None]
    Guard([*given.paths, Path(model), *options.paths], overwrite, "--overwrite").check(written)
    translations = given.read(what.on_unusable)
    unusable = translations.find_unusable(what.on_unusable)
    runner = open_runner(model, options)
    _check_system(runner)
    scale = Scale.choose(what.scale, runner)
    higher = scale.direction(what.higher_is_better, "Comparing systems")
    scores = _score(runner, translations, unusable, scale)
    used = ~np.isnan(np.mean(list(scores.values()), axis=0))
    if not used.any():
        raise DataError("No segment has a score for each system. " + next(iter(_reasons(unusable)), ""))
    found = Compared(
        translations,
        scores,
        _compare(scores, used, higher, what),
        _by_pair(translations, scores, used, higher, what),
        most_different(scores, what.n_shown),
        unusable,
        scale,
        higher,
        str(model),
        runner.about.sha256,
        what,
    )
    if what.resamples and found.whole.n_segments < FEW_SEGMENTS:
        logger.warning(
            "Intervals and tests of %d segments are too optimistic; compare %d or more.",
            found.whole.n_segments,
            FEW_SEGMENTS,
        )
    if unusable:
        logger.warning(
            "%d of %d segments cannot be used and are left out for all systems. The first: %s",
            len(unusable),
            len(translations),
            next(iter(_reasons(unusable))),
        )
    if report is not None:
        write_text(report, comparison_page(_figures(found)))
    if output is not None:
        write_json(output, found.to_dict())
    record_written(*written)
    return found


def _check_system(runner: Runner) -> None:
    about = runner.about
    if const.SENTENCE_SCORES not in about.outputs:
        raise ConfigError(
            f"This system predicts {', '.join(about.outputs)}, and no score. Choose one that predicts scores."
        )
    if pos := [name for name in (const.SOURCE_POS, const.TARGET_POS) if name in about.input_fields]:
        raise ConfigError(f"This system reads {', '.join(pos)}, which kiwi compare does not. Choose another system.")
    if const.ALIGNMENTS in about.input_fields:
        runner.prepare_aligner()


def _score(
    runner: Runner, translations: Translations, unusable: Unusable, scale: Scale
) -> dict[str, NDArray[np.float64]]:
    """Return the score of each segment by system; equal translations of equal sources are scored once."""
    without = {*unusable, *translations.without_words()}
    indices = [index for index in range(len(translations)) if index not in without]
    places: dict[tuple[str, str], int] = {}
    for targets in translations.targets.values():
        for index in indices:
            places.setdefault((translations.source[index], targets[index]), len(places))
    values: list[float] = []
    column = OUTPUTS[const.SENTENCE_SCORES].columns[0]
    texts = iter(places)
    with Progress("Scoring", len(places)) as progress:
        runner.on_computed = progress.advance_within_chunk
        while part := list(islice(texts, CHUNK_SIZE)):
            source, target = map(list, zip(*part, strict=True))
            predicted = runner.predict_columns({const.SOURCE: source, const.TARGET: target})
            values += scale.apply(predicted.columns())[column]
            progress.advance(len(part))
    by_text = np.array(values)
    scores = {}
    for system, targets in translations.targets.items():
        scores[system] = np.full(len(translations), np.nan)
        if indices:
            scores[system][indices] = by_text[[places[translations.source[i], targets[i]] for i in indices]]
    return scores


def _compare(
    scores: Mapping[str, NDArray[np.float64]], used: NDArray[np.bool_], higher: bool, what: CompareOptions
) -> Comparison:
    chosen = {system: values[used] for system, values in scores.items()}
    return compare_systems(chosen, higher_is_better=higher, samples=what.resamples, seed=what.seed)


def _by_pair(
    translations: Translations,
    scores: Mapping[str, NDArray[np.float64]],
    used: NDArray[np.bool_],
    higher: bool,
    what: CompareOptions,
) -> dict[str, Comparison]:
    if translations.pairs is None:
        return {}
    pairs = np.array([normalize_pair(pair) for pair in translations.pairs])
    names = count_pairs(pairs[used].tolist())
    return {name: _compare(scores, used & (pairs == name), higher, what) for name in names}


def _reasons(unusable: Unusable) -> list[str]:
    return [reason for index in sorted(unusable) for reason in unusable[index].values()]


def _figures(found: Compared) -> ComparisonFigures:
    """Return what the page shows."""
    texts, order = found.translations, [each.system for each in found.whole.systems]
    return ComparisonFigures(
        meaning=found.meaning,
        higher_is_better=found.higher_is_better,
        whole=found.whole,
        by_pair=found.by_pair,
        scores={system: values[~np.isnan(values)] for system, values in found.scores.items()},
        segments=[
            Segment(
                index + 1,
                texts.source[index],
                [(system, float(found.scores[system][index]), texts.targets[system][index]) for system in order],
                "" if texts.pairs is None else texts.pairs[index],
            )
            for index in found.differing
        ],
        n_left_out=found.n_left_out,
        settings=[
            ("model", found.model),
            ("checkpoint", found.sha256),
            ("score", found.meaning),
            ("resamples", f"{found.options.resamples:,}"),
            ("seed", str(found.options.seed)),
            ("test", f"{TEST}, two-sided, corrected for the number of pairs (Holm)"),
        ],
    )
