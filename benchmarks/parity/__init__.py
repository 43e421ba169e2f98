"""Presets against the libraries whose default output they promise, run side by side: `make parity`."""
