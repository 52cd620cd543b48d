"""YAML and JSON: reading within bounds, and writing."""
