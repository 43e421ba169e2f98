"""Data sets: what a network does with many images, unit by unit."""
