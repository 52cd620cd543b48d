"""Pretrained components of new systems: encoders from Python packages, and word vectors."""
