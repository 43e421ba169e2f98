"""Running graphs: programs for forward and backward passes, their onnxruntime sessions, batches over cores."""
