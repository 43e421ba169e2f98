"""Methods over a data set: what a network does with many images, unit by unit."""
