"""Decoders, which turn the features of an encoder into those that the outputs read."""
