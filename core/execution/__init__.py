"""How work is run: batches that fit into memory, threads, progress."""
