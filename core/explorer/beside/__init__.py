"""Two models side by side: aligned layers, units matched by correlation, where they part."""
