"""Methods that share a target out among pixels: layer-wise relevance propagation, DeepLIFT and their relatives."""
