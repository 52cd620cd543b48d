"""Files that are scored in the background: received, scored, and kept for a while to be downloaded."""
