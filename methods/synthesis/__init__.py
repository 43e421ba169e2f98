"""Methods that make pictures by optimising them through a network."""
