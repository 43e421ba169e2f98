"""A page per unit: visualisations, examples, histograms, concepts, nearest units."""
