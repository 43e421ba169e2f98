"""Shapes and types of tensors: inference, constant folding, known control flow, and the batch axis."""
