"""Receptive fields: what part of a picture units depend on."""
