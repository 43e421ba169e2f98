"""The layers of a torch network: modules, functions, and where their channels are."""
