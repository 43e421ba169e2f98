"""Methods that read the attention weights of transformers."""
