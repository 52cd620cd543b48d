"""The files that ``kiwi evaluate`` compares."""

from __future__ import annotations

from kiwi.utils.inputs import InputFile
from kiwi.utils.io import BaseConfig


class Table(BaseConfig):
    """A table of named columns, one segment per row; the suffix says whether it is TSV, CSV, JSON Lines or Parquet."""

    path: InputFile
    """The file of the table."""

    columns: dict[str, str]
    """The name of the column of each field, such as ``sentence_scores: hter``."""


class GoldFiles(BaseConfig):
    """The files of gold labels and scores, one segment per line."""

    target_tags: InputFile | None = None
    """The OK/BAD tags of target words, or of gaps and words interleaved (2n+1 for n words); or the gold file of
    WMT 2023, ``LP METHOD SEG TARGET TOKENS TAGS``."""

    source_tags: InputFile | None = None
    """The OK/BAD tags of source words."""

    sentence_scores: InputFile | None = None
    """The scores, one number per segment; or the gold file of WMT 2023, ``LP METHOD SEG SCORE``; or a ``*.seg.score``
    file of mt-metrics-eval, ``SYSTEM SCORE`` for each segment of each MT system, where the score may be ``None``."""

    binary: InputFile | None = None
    """The verdicts, OK or BAD (or 0 or 1) per segment, such as whether it has a critical error."""

    spans: InputFile | None = None
    """The error spans: in the format of span submissions, as the files of WMT25, or with a row of ``starts``, ``ends``
    and ``severities`` for each translation or annotation, as in ``data.*.output.error_spans``."""

    error_free: InputFile | None = None
    """Whether each segment is free of errors, 1 or 0, or ``None`` where it is not known; if unset, this may follow from
    scores and spans (:attr:`Configuration.error_free`)."""

    lp: InputFile | None = None
    """The language pairs, such as ``en-de``, one per segment. Results are then given for each pair, and as unweighted
    means. If unset, they are those that ``kiwi predict`` has written to ``predicted_dir``, if any."""

    table: Table | None = None
    """A table with columns instead of files of ``target_tags``, ``source_tags``, ``sentence_scores``, ``binary``,
    ``lp``. If it has translations of several MT systems, ``system``, ``seg`` and perhaps ``doc`` are the columns of the
    MT system, the segment and its document; the MT systems are then compared too."""


class PredictedFiles(BaseConfig):
    """The files of a system's predictions, one segment per line; tags are probabilities of BAD, or OK/BAD."""

    target_tags: InputFile | None = None
    """The tags of target words. Tags that are interleaved with those of gaps (2n+1 for n words) are split."""

    source_tags: InputFile | None = None
    """The tags of source words."""

    gap_tags: InputFile | None = None
    """The tags of gaps, n+1 for n target words."""

    targetgaps_tags: InputFile | None = None
    """The tags of gaps and target words interleaved, 2n+1 for n target words."""

    sentence_scores: InputFile | None = None
    """The scores, one number per segment, or ``nan``, ``None`` or blank for an empty one; or a ``*.seg.score`` file of
    mt-metrics-eval, with the MT systems and segments of the gold file in any order of MT systems."""

    sentence_scores_extras: InputFile | None = None
    """The mean and standard deviation of each score, tab-separated, to measure its calibration."""

    sentence_intervals: InputFile | None = None
    """The lower and the upper end of the interval of each score, tab-separated, to measure how many scores they
    cover."""

    binary: InputFile | None = None
    """The verdicts, one probability of BAD per segment, or a score of any scale that ranks segments."""

    error_free: InputFile | None = None
    """The probability that each segment is free of errors, or 1 and 0; blank, ``nan`` or ``None`` leaves a segment out.
    If unset, a score of at least ``error_free_score`` or else the lack of spans says so."""

    sentence_submission: InputFile | None = None
    """The scores as submitted to a shared task, ``LP METHOD SEG SCORE``. With ``gold_files.binary`` and without
    ``gold_files.sentence_scores``, they rank segments by how likely they are BAD."""

    word_submission: InputFile | None = None
    """The tags as submitted to a shared task, ``LP METHOD TYPE SEG INDEX WORD TAG``."""

    span_submission: InputFile | None = None
    """The error spans as submitted to a shared task, ``LP METHOD SEG TARGET STARTS ENDS TYPES``, or in another form of
    ``gold_files.spans``."""

    table: Table | None = None
    """A table with columns instead of files; it may be the same as that of the gold labels. With the columns of the
    gold labels that say which translation a row is (``system``, ``seg``, ``doc``, ``lp``), its rows may be in any
    order."""


class Texts(BaseConfig):
    """The texts of the segments, for the report."""

    source: InputFile
    """The source segments, one per line."""

    target: InputFile
    """The translations, one per line."""
