"""Kernel rules, at one node each, and their accounts."""
