"""Encoders, which turn batches into features of words."""
