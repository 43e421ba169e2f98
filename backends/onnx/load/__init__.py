"""Reading a file: one dialect of operators, onnxruntime's own operators rewritten, inputs prepared."""
