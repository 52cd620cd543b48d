"""Segments read and written a chunk at a time."""
