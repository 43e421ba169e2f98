"""Pictures of units and classes: made by optimising them through a network."""
