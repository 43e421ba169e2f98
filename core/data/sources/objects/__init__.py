"""Data sets that other packages made, as sources: told apart by what they can do, read item by item."""
