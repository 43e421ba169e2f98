"""Style networks in Keras: built from their description and weights, saved as .keras."""
