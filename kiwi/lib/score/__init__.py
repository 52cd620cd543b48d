"""``kiwi score``: score segments, and write to a pipe or into the files that they are in."""

from kiwi.lib.score.best_of import score_best as score_best
from kiwi.lib.score.candidates import BestOf as BestOf
from kiwi.lib.score.deciding import Audit as Audit
from kiwi.lib.score.document.options import DocumentOptions as DocumentOptions
from kiwi.lib.score.inputs import FIELDS as FIELDS, Input as Input
from kiwi.lib.score.stream import (
    CHUNK_SIZE as CHUNK_SIZE,
    score as score,
    score_to_stream as score_to_stream,
)
