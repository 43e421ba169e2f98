"""Secants between images and references, function by function."""
