"""What work may take, and what may be read: memory, regular files."""
