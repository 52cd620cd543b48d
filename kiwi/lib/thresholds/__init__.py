"""Choose the thresholds above which words, pieces and gaps count as wrong, on held-out data: ``kiwi thresholds``."""

from kiwi.lib.thresholds.pipeline import Chosen, choose_thresholds

__all__ = ["Chosen", "choose_thresholds"]
