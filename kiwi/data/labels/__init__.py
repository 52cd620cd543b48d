"""Tags and scores."""
