"""From files to batches, in NumPy: readers, tags, vocabulary, batch, collate, sampling, datasets."""
