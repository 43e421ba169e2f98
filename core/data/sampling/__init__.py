"""Samples of positions and patches, the same whatever the order and the number of workers."""
