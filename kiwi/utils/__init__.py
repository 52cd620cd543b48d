"""Files, configurations and optional imports: what every other room may use."""
