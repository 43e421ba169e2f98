"""Perturbation: methods that change the image and watch the target."""
