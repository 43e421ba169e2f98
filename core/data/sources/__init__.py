"""Sources: what users have, in memory, in files or as objects of others, as images by index."""
