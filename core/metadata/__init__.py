"""What a file says of the network in it: preprocessing, labels and more, read from text and JSON; no model needed."""

from .metadata import Metadata, metadata_from_json

__all__ = ["Metadata", "metadata_from_json"]
