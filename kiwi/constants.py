"""Names and labels that files, batches, outputs and metrics share."""

from typing import Literal

SOURCE = "source"
TARGET = "target"
POST_EDIT = "post_edit"
SOURCE_POS = "source_pos"
TARGET_POS = "target_pos"
ALIGNMENTS = "alignments"
LANGUAGE_PAIR = "lp"

TARGET_TAGS = "target_tags"
GAP_TAGS = "gap_tags"
SOURCE_TAGS = "source_tags"
TARGETGAPS_TAGS = "targetgaps_tags"
SENTENCE_SCORES = "sentence_scores"
RATER_SCORES = "rater_scores"
SCORE_DEVIATIONS = "score_deviations"
SENTENCE_SCORES_EXTRAS = "sentence_scores_extras"
BINARY = "binary"
ERROR_SPANS = "error_spans"

WORD_LEVEL = (TARGET_TAGS, GAP_TAGS, SOURCE_TAGS)
"""The outputs that have a list of values per segment."""

WMT19 = "WMT19"
"""The prefix of the metrics over target words and gaps together, as defined by the WMT19 shared task."""

ORIGIN_FILE = "predictions.json"
"""The file, in a directory of predictions, that records the system that made them."""

TEXT_FIELDS = (SOURCE, TARGET, POST_EDIT, SOURCE_POS, TARGET_POS)

Label = Literal["OK", "BAD"]

OK: Label = "OK"
BAD: Label = "BAD"
LABELS: tuple[Label, ...] = (OK, BAD)
"""The labels by class index, in every loss and file: OK is 0, BAD is 1."""

IGNORE = -1
"""The padding value of tag arrays, which marks positions without a tag."""

UNDECIDED = "undecided"
"""The severity of error spans that annotators of WMT 2025 did not decide on; it is left out where it can be."""
