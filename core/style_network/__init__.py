"""Style networks as plain data: which there are, and the convolutions of each."""
