"""Derivative rules, one operator per file; the registry imports every file, which registers its rule."""
