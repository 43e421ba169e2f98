"""The layers of a Keras network or SavedModel: layers, functions, and where their channels are."""
