"""Checkpoints of one network: one data set in each of them, in layouts that can be compared point by point."""
