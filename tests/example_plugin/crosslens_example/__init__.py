"""A plugin for crosslens: the methods `fade` and `peak`, and a backend for networks of the class `Nano`."""
