"""Output of the command line: tables and progress."""
