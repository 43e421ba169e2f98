"""Fused operators that onnxruntime writes into saved models, as standard ones: one per file, discovered."""
