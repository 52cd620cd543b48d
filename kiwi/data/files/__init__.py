"""File formats: text files, tables, and binary encoder files."""
