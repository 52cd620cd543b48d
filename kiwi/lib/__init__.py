"""The pipelines: each a plain function of a configuration."""
