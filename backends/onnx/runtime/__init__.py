"""Running graphs: what is asked of a network as programs, their onnxruntime sessions, batches over cores."""
