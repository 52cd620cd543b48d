"""The metadata of trained systems, read and written without torch."""
