"""Benchmarks: paired, side by side with what they are compared with, in one run. `make bench` runs them all."""
