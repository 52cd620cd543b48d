"""What is written into the units of documents: scores by ITS, flags in notes, and what single tools read."""
