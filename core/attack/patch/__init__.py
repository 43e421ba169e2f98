"""Adversarial patches: where they may lie, what a printer can print, trials in pictures, and their result."""
