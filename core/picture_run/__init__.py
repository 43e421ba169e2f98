"""One method on one model over many pictures: an output each, an index, and going on where a run was stopped."""
