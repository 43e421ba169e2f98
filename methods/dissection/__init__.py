"""What units detect, by pixels that are labelled with concepts."""
