"""A network opened like a book: a site of static files, from a survey, that opens from disk without a network."""
