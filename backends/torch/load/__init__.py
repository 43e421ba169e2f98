"""Opening files and networks of torch, and the inputs that they take."""
