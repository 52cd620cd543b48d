"""Outputs, each with its logits, loss, metrics and predictions."""
