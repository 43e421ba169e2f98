"""The backward rules of `Model.modified` on torch, whatever way a network calls its functions."""
