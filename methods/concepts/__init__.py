"""Concepts: what units and groups of units stand for."""
