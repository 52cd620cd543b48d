"""Files of error spans: their rows, what is checked in them, and spans from labels of pieces."""
