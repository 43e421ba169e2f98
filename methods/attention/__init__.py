"""Attention: methods that read the attention weights of transformers."""
