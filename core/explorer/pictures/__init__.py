"""A page per picture: prediction, maps, strongest units, a dictionary by position, neighbours."""
