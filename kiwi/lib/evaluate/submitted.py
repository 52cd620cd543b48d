"""Submissions of scores and of tags to the shared tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kiwi import constants as const
from kiwi.data.labels.ragged import ragged_tags
from kiwi.data.wmt.sentence_level import read_sentence_submission
from kiwi.data.wmt.unified_forms import check_form
from kiwi.data.wmt.word_level import read_word_submission
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.language_pairs import PairLines
from kiwi.lib.evaluate.source import Source, first_line, unified_source


def submitted_scores(
    path: Path, language_pair: str | None, lines: PairLines | None, *, is_verdict: bool
) -> dict[str, Source]:
    """Return a submission as scores or, where gold labels are verdicts, as scores that rank segments.

    Args:
        path: the submission.
        language_pair: the language pair to read from a file of several.
        lines: the language pair of each line of the files to compare, where it is known.
        is_verdict: whether gold labels are verdicts.
    """
    if (unified := unified_source(path, "scores", language_pair)) is not None:
        return {const.SENTENCE_SCORES: unified}

    check_form(path, first_line(path), "rows of LP METHOD SEG SCORE (up to WMT24)")

    def read() -> list[float]:
        if lines is None:
            return read_sentence_submission(path, language_pair).scores
        return lines.place(path, lambda pair: read_sentence_submission(path, pair).scores, 0.0)

    source = Source(path, read, only_order=is_verdict)
    return {const.BINARY if is_verdict else const.SENTENCE_SCORES: source}


def submitted_tags(path: Path, language_pair: str | None, lines: PairLines | None) -> dict[str, Source]:
    """Return a submission as tags, by output.

    Args:
        path: the submission.
        language_pair: the language pair to read from a file of several.
        lines: the language pair of each line of the files to compare, where it is known.
    """
    # Read now, to see which types of tags it has.
    if lines is None:
        submissions = {"": read_word_submission(path, language_pair)}
    else:  # tags of all lines, which no line may lack
        lines = replace(lines, asked=None)
        submissions = {pair: read_word_submission(path, pair) for pair in lines.counts}

    def source(name: str) -> Source | None:
        own = {pair: getattr(submission, name) for pair, submission in submissions.items()}
        lacking = [pair for pair, rows in own.items() if rows is None]
        if len(lacking) == len(own):
            return None
        has_eos = {submission.has_eos and name == const.TARGET_TAGS for submission in submissions.values()}
        if lacking or len(has_eos) > 1:
            what = f"{name} of some language pairs" if lacking else "<EOS> in the translations of some language pairs"
            raise DataError.at(path, None, found=f"{what} only", expected="the same types of tags for each of them")
        rows = own[""] if lines is None else lines.place(path, own.__getitem__, [])
        return Source(path, lambda: ragged_tags(rows), has_eos.pop(), of_words=True)

    names = (const.TARGET_TAGS, const.GAP_TAGS, const.SOURCE_TAGS)
    return {name: found for name in names if (found := source(name)) is not None}
