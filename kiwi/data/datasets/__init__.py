"""Corpora: files that belong together, as rows."""
