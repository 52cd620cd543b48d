"""Features to features that the outputs read."""
