"""Nearest neighbours: exact and approximate search among features, and the result with its sheets."""
