"""Opening files and SavedModel folders, and the inputs that they take."""
