"""Words, pieces and vocabularies."""
