"""Calibrate a trained system on held-out data: intervals of its scores, temperatures: ``kiwi calibrate``."""

from kiwi.lib.score.calibration.pipeline import Calibrated, calibrate

__all__ = ["Calibrated", "calibrate"]
