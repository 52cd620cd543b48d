"""Pretrained models of Transformers."""
