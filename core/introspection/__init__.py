"""What crosslens finds out about a network by looking at its layers and by running it."""
