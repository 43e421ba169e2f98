"""What pixels the layers of an ONNX network depend on, operator by operator."""
