"""Occluding an image in many positions, computing again only what each position can change."""
