"""Gradients: methods that read the gradient of a target at the image."""
