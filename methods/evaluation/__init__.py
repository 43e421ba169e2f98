"""Judging other methods: methods that measure other methods' maps."""
