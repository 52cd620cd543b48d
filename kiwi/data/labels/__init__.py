"""Labels of segments: OK/BAD tags and scores."""
