"""Filters and activations of a layer: what its units are made of, and what they answer to a picture."""
