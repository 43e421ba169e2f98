"""Attacks: pictures that are made to fool a network."""
