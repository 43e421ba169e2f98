"""Shapes and types of tensors, and control flow that they decide."""
