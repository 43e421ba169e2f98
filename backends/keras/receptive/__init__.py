"""What pixels the layers of a TensorFlow network depend on, operator by operator."""
