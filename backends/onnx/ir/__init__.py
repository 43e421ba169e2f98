"""The intermediate representation: an editable graph, its names and layers, and the way back to ONNX."""
