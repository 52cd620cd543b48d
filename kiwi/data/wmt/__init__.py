"""Submissions to the shared tasks of WMT."""
