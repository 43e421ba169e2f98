"""Pictures: reading and writing files, colours, overlays."""
