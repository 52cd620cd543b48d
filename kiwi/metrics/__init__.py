"""Metrics in NumPy: functions, accumulators over a corpus, and the report of ``kiwi evaluate``."""
