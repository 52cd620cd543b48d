"""Tables, which are copied with columns of scores."""
