"""Reading files, validating their content, and turning segments into batches of NumPy arrays."""
