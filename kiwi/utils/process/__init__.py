"""The running process: its memory and threads, signals, calls that end in time, and lines of progress in its log."""
