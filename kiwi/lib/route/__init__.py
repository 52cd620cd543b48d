"""Decisions about translations: which of them may be approved by their score, with a certified risk."""

from __future__ import annotations

from kiwi.lib.route.fit import FitInfo, FitOptions, fit_policy
from kiwi.lib.route.report import write_report

__all__ = ["FitInfo", "FitOptions", "fit_policy", "write_report"]
