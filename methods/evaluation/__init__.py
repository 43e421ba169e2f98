"""Methods that judge other methods' maps."""
