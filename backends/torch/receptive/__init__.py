"""What pixels the layers of a torch network depend on, operator by operator."""
