"""Features to predictions: each output owns its logits, its loss, its metrics and its decoding."""
