"""Methods on several models of one network: maps side by side, how far they differ, and how much rounding explains."""
