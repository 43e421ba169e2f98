"""One pass through a torch network with its graph, and other backward rules at rectifiers."""
