"""Utilities for files, configurations and optional imports, which every other package may use."""
