"""A plugin for crosslens: the method `fade`, and a backend for networks of the class `Nano`."""
