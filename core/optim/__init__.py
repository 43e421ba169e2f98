"""Optimisers on arrays of any framework, and the loop that runs them."""
