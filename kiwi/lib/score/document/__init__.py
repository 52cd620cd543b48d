"""Score the segments of a document, and write a copy with their scores: ``kiwi score FILE -o OUT``."""
