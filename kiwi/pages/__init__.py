"""Pages that show an evaluation: HTML with everything inside it, from NumPy and the standard library alone."""
