"""Images of a data set as points: the result, its drawings, and new points that join an old layout."""
