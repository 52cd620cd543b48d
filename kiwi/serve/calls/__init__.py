"""The calls of the API, and the page."""
