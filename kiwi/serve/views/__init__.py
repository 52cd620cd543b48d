"""What is shown of estimates: the segments of files, their marks, and examples."""
