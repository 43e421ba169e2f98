"""Attacks, and pictures that mean nothing: what makes a network sure of something wrong."""
