"""Datasets: the files of a corpus as rows, and their configurations."""
