"""Evolution of pictures: genomes, their mutations, and MAP-Elites, which keeps the best genome of each class."""
