"""The output of the command line: tables and progress."""
