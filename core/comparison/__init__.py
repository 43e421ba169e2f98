"""One method on several models: the maps side by side, and how far they differ."""
