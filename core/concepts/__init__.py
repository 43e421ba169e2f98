"""What units and groups of units stand for: results of the methods that show it, and their sheets."""
