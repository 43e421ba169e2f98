"""Which layer of one network is which of another, and where two versions of a network differ."""
