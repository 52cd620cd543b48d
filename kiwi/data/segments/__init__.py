"""Streams of segments, which are read and written in chunks."""
