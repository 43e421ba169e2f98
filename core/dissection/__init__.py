"""Network dissection: a layer's maps enlarged and cut at thresholds, and how the masks lie on labelled pixels."""
