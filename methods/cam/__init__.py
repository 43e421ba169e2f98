"""Class activation maps: sums of a layer's maps, weighted for a target."""
