"""What a file says of the network in it: preprocessing, labels and more, read from text and JSON; no model needed."""
