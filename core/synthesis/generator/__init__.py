"""Generators: networks whose codes are the coordinates of a synthesis, the range of codes, encoders."""
