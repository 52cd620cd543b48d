"""Compare predictions with gold data: ``kiwi evaluate``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kiwi import constants as const
from kiwi.data.files.lines import read_lines
from kiwi.data.labels.gold import check_line_count
from kiwi.data.text.language_pairs import listed
from kiwi.exceptions import ConfigError
from kiwi.lib.evaluate.align import align
from kiwi.lib.evaluate.annotations import pairs_of_annotations
from kiwi.lib.evaluate.config import Configuration, Files
from kiwi.lib.evaluate.language_pairs import (
    choose_pair,
    pair_lines,
    pairs_of_spans,
    read_language_pairs,
    warn_if_unnamed,
)
from kiwi.lib.evaluate.segments import counted_source
from kiwi.lib.evaluate.sources import collect_sources, given_fields, gold_by_prediction
from kiwi.lib.evaluate.spans import split_spans
from kiwi.lib.utils import configure_logging, load_configuration
from kiwi.lib.utils.composition import configuration_files
from kiwi.metrics.aligned import Aligned, split_by_pair
from kiwi.metrics.calibration import coverage, reliability, uncertainty
from kiwi.metrics.conformal import interval_figures
from kiwi.metrics.error_free import ERROR_FREE, measure_error_free
from kiwi.metrics.functions import pearson
from kiwi.metrics.measured import FEWEST_MT_SYSTEMS, Measured, measure, measure_explanations, measure_mt_systems
from kiwi.metrics.ranking import best_threshold
from kiwi.metrics.rendering import as_latex, as_markdown, as_text
from kiwi.metrics.report import ENSEMBLE, Calibration, Report, Settings, build_report, combine
from kiwi.metrics.spans import SPANS
from kiwi.outputs import names as output_names
from kiwi.pages.evaluation import evaluation_page
from kiwi.pages.marks import MarkedTexts
from kiwi.runner.prediction_files import prediction_files
from kiwi.utils.guard import Guard, paths_in, record_written
from kiwi.utils.inputs import pipes_as_files
from kiwi.utils.io import write_text

logger = logging.getLogger(__name__)

FEWEST_FOR_DIRECTION = 10
"""The number of segments from which on a correlation tells the direction of scores."""

Z_OF_DIRECTION = 3.0
"""The number of standard errors below 0 at which a correlation tells that directions are opposite."""


def evaluate_from_file(filename: str | Path) -> Report:
    """Evaluate with the options of a configuration file.

    Args:
        filename: a YAML or JSON file.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when a file cannot be used; the message names file and line.
    """
    return evaluate_from_configuration(load_configuration(filename))


def evaluate_from_configuration(configuration_dict: Mapping[str, Any]) -> Report:
    """Evaluate with a mapping of options.

    Args:
        configuration_dict: the options of :class:`Configuration`.

    Raises:
        ConfigError: when the configuration is invalid; the message lists all mistakes.
        DataError: when a file cannot be used; the message names file and line.
    """
    configure_logging(verbose=configuration_dict.get("verbose") is True, quiet=configuration_dict.get("quiet") is True)
    return run(Configuration.from_dict(configuration_dict))


@pipes_as_files()
def run(config: Configuration) -> Report:
    """Evaluate each system and, if there are several, their average.

    Args:
        config: options.

    Returns:
        A report with the metrics of each output and system, and the comparison of systems.
    """
    written = _check_outputs(config)
    reports: dict[str, Report] = {}
    for pair, files in config.pairs.items():
        outputs, report, marked = _evaluate(config, files)
        reports[pair] = report
        if config.output.report is not None:
            _write_page(config.output.report, pair, files, outputs, report, marked)
    report = combine(reports)
    logger.debug("\n%s", as_text(report))
    for path, content in (
        (config.output.figures, report.to_json() + "\n"),
        (config.output.markdown, as_markdown(report)),
        (config.output.latex, as_latex(report)),
    ):
        if path is not None:
            write_text(path, content)
    record_written(*written)
    return report


def _check_outputs(config: Configuration) -> list[Path]:
    """Return the files to write; reject those that are read, or that kiwi has not written."""
    output = config.output
    pages = [] if output.report is None else [_page_path(output.report, pair) for pair in config.pairs]
    outputs = [*pages, *(path for path in (output.figures, output.markdown, output.latex) if path is not None)]
    reads: list[Path] = list(configuration_files())
    for files in config.pairs.values():
        reads += paths_in([files.gold_files, files.predicted_files, files.texts, files.exclude])
        for directory in files.predicted_dir or ():
            reads += [directory / name for name in (*prediction_files(), const.LANGUAGE_PAIR, const.ORIGIN_FILE)]
    Guard(reads, output.overwrite, "--overwrite (output.overwrite=true)").check(outputs)
    return outputs


def _page_path(path: Path, pair: str) -> Path:
    return path.with_name(f"{path.stem}.{pair}{path.suffix}") if pair else path


def _evaluate(config: Configuration, files: Files) -> tuple[list[Aligned], Report, MarkedTexts | None]:
    """Return what is compared, its metrics, and the error spans that are compared."""
    pairs = None if config.language_pairs is not None else read_language_pairs(files) or _pairs_of_spans(files)
    lines = pair_lines(pairs, config.language_pair)
    if pairs is None and config.language_pair is not None:
        warn_if_unnamed(files)
    sources = collect_sources(files, lines, any_scale=config.explanations)
    required = not files.predicted_dir
    alignment = align(
        files,
        sources,
        required=required,
        error_free=config.error_free_score,
        with_error_free=config.error_free,
        low_is_bad=config.low_is_bad,
        explanations=config.explanations,
        several_pairs=pairs is not None and len({*pairs[0]} - {""}) > 1,
        pair_lines=lines,
    )
    outputs = [replace(aligned, threshold=config.threshold) for aligned in alignment.outputs]
    measured = [*outputs, *([] if alignment.error_free is None else [alignment.error_free])]
    if not measured and not alignment.spans:
        places = ", ".join(map(str, files.predicted_dir or [])) or "predicted_files"
        raise ConfigError(
            f"Nothing to compare: none of {places} has predictions for the gold files; "
            f"expected files named {', '.join(gold_by_prediction())}."
        )
    for aligned in outputs:
        _warn_if_opposite(aligned)
    if pairs is None:
        return outputs, _report(config, measured, alignment.spans, alignment.origins), alignment.marked
    for path, n_segments in alignment.lines.items():
        check_line_count(path, n_segments, pairs[1], len(pairs[0]))
    by_pair = split_by_pair(measured, pairs[0])
    spans: dict[str, tuple[list[Measured], MarkedTexts]] = {}
    if alignment.marked is not None and alignment.marked.predicted:
        gold = alignment.gold
        spans = split_spans(alignment.marked, pairs_of_spans(gold[SPANS], counted_source(gold), *pairs))
    by_pair = {pair: by_pair.get(pair, []) for pair in sorted({*by_pair, *spans})}
    if config.language_pair is not None:
        pair = choose_pair([pair for pair in by_pair if by_pair[pair] or pair in spans], config.language_pair, pairs[1])
        own, (own_spans, marked) = by_pair[pair], spans.get(pair, ([], None))
        shown = {each.output for each in outputs}
        report = _report(config, own, own_spans, alignment.origins)
        return [each for each in own if each.output in shown], report, marked
    logger.info("Metrics of %s, and their means (%s).", listed([*by_pair]), pairs[1])
    for pair, own in by_pair.items():
        if lacking := {each.output for each in measured} - {each.output for each in own}:
            logger.warning("%s: no segment to compare for %s, so there is no mean.", pair, ", ".join(sorted(lacking)))
    reports = {
        pair: _report(config, own, spans[pair][0] if pair in spans else [], alignment.origins)
        for pair, own in by_pair.items()
    }
    whole = combine(reports)
    whole = replace(whole, calibration=_intervals_of_all(outputs) + whole.calibration)
    return outputs, whole, alignment.marked


def _pairs_of_spans(files: Files) -> tuple[list[str], Path] | None:
    """Return the language pair of each gold annotation and their file, if they are of several, and alone compared."""
    path = files.gold_files.spans
    if path is None or files.language_pair is not None or given_fields(files.gold_files) != [SPANS]:
        return None
    pairs = pairs_of_annotations(path)
    return (pairs, path) if pairs is not None and len({*pairs}) > 1 else None


def _warn_if_opposite(aligned: Aligned) -> None:
    """Warn when scores fall where the gold scores rise, as those of opposite directions do."""
    if aligned.output not in output_names(kind="score"):
        return
    n_segments = len(aligned.gold)
    for system, scores in aligned.predicted.items():
        if system == ENSEMBLE or n_segments < FEWEST_FOR_DIRECTION:
            continue
        correlation = pearson(aligned.gold, scores)
        if correlation < -Z_OF_DIRECTION / np.sqrt(n_segments - 1):
            logger.warning(
                "%s: predicted scores fall where the gold scores rise (PEARSON %.3f, %d segments). If higher is better "
                "in one of them and lower in the other, such as in DA and HTER, negate one before you compare them.",
                system,
                correlation,
                n_segments,
            )


def _report(
    config: Configuration, outputs: Sequence[Aligned], spans: Sequence[Measured], origins: Mapping[str, str]
) -> Report:
    measured: list[Measured] = []
    for aligned in outputs:
        is_free = aligned.output == ERROR_FREE
        _warn_of_one_class(aligned)
        if aligned.mt_system is not None and len(np.unique(aligned.mt_system)) < FEWEST_MT_SYSTEMS:
            logger.info(
                "%s: all compared segments are of one MT system, so that there is no table mt_systems.", aligned.output
            )
        measured += measure_error_free(aligned) if is_free else [*measure(aligned), *measure_mt_systems(aligned)]
    measured += spans
    if config.explanations:
        words = [aligned for aligned in outputs if aligned.output == const.TARGET_TAGS]
        if not words:
            raise ConfigError("explanations: no system has target_tags, or gold_files.target_tags is not given.")
        measured += measure_explanations(words[0])
    report = build_report(measured, Settings(config.bootstrap, config.seed), origins)
    return replace(report, calibration=calibrate(outputs, config))


def _warn_of_one_class(aligned: Aligned) -> None:
    """Warn of gold labels that are all alike, by which no metric of classes can tell systems apart."""
    has_classes = aligned.offsets is not None or aligned.output in output_names(kind="verdict")
    if has_classes and len(classes := np.unique(aligned.gold)) == 1:
        name = const.LABELS[int(classes[0])]
        logger.warning("%s: all gold labels are %s, so that its figures say little.", aligned.output, name)


def _write_page(
    path: Path, pair: str, files: Files, outputs: Sequence[Aligned], report: Report, marked: MarkedTexts | None
) -> None:
    """Write the page of a language pair, ``report.en-de.html``; without language pairs, ``report.html``."""
    texts = None if files.texts is None else {name: read_lines(text, warn=False) for name, text in files.texts}
    place = _page_path(path, pair)
    title = f"Evaluation, {pair}" if pair else "Evaluation"
    write_text(place, evaluation_page(report, outputs, texts, title, marked=marked))


def calibrate(outputs: Sequence[Aligned], config: Configuration) -> list[Calibration]:
    """Measure the calibration of probabilities and deviations, by output and system."""
    found: list[Calibration] = []
    for aligned in outputs:
        for system, values in aligned.predicted.items():
            if aligned.only_order:
                continue
            if aligned.offsets is not None:
                bins = reliability(aligned.gold, values)
                figures = {"ECE": bins.ece, "Brier": bins.brier}
                if config.best_threshold:
                    figures |= dict(
                        zip(("best_threshold", "MCC_at_best"), best_threshold(aligned.gold, values), strict=True)
                    )
                found.append(Calibration(aligned.output, system, figures))
                continue
            figures = {}
            if system in aligned.deviations:
                pair = aligned.deviations[system]
                figures = coverage(aligned.gold, *pair) | uncertainty(aligned.gold, *pair)
            if system in aligned.intervals:
                figures |= _figures_of_intervals(aligned, system)
            if figures:
                found.append(Calibration(aligned.output, system, figures))
    return found


def _intervals_of_all(outputs: Sequence[Aligned]) -> list[Calibration]:
    """Measure the intervals of all language pairs together, for which conformal prediction promises its coverage."""
    return [
        Calibration(aligned.output, system, _figures_of_intervals(aligned, system))
        for aligned in outputs
        for system in aligned.intervals
    ]


def _figures_of_intervals(aligned: Aligned, system: str) -> dict[str, float]:
    found = interval_figures(aligned.gold, *aligned.intervals[system])
    return {name: found[name] for name in ("coverage", "width") if name in found}
