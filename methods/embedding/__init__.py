"""Embedding: how a layer arranges the images of a data set."""
