"""Building blocks: tensors in, tensors out, no configuration."""
