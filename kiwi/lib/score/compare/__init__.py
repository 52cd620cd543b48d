"""``kiwi compare``: compare systems of translation by the scores of their translations of the same segments."""

from kiwi.lib.score.compare.compared import Compared as Compared, CompareOptions as CompareOptions
from kiwi.lib.score.compare.given import Given as Given
from kiwi.lib.score.compare.pipeline import compare as compare
