"""Occlusion that computes again only what a window can change, on onnxruntime."""
