"""Decisions about translations: which of them may be approved by their score, with a certified risk."""

from __future__ import annotations

from kiwi.lib.route.feedback import FeedbackInput
from kiwi.lib.route.fit import FitInfo, FitOptions, fit_policy
from kiwi.lib.route.report import write_report
from kiwi.lib.route.update import UpdateInfo, update_policy

__all__ = ["FeedbackInput", "FitInfo", "FitOptions", "UpdateInfo", "fit_policy", "update_policy", "write_report"]
