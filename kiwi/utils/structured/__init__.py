"""YAML and JSON: reading within bounds, and writing; and options that are given as arguments, which are as strict."""
