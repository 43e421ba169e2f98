"""Style networks in PyTorch: built from their description, saved as .pt2 and .onnx."""
