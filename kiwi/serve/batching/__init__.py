"""A queue that batches the segments of all requests, and the thread that computes them."""
