"""The intermediate representation: an editable graph, its layers and weights, and its way to onnxruntime sessions."""
