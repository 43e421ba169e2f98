"""Textures and styles: pictures with the Gram matrices of another."""
