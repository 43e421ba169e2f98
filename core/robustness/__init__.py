"""Robustness: what several attacks, radii and networks say together: curves over a radius, and what transfers."""
