"""Batches to features of words."""
