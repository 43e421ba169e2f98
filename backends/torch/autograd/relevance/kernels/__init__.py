"""Kernel rules: the calls of linear maps that layers are, and the tables that replace their backward passes."""
