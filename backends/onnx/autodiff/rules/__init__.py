"""Derivative rules, one operator per file. Importing a file registers its rule; nothing lists them."""
