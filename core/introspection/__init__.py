"""What a network's layers and a few passes tell about it: its feature maps, the layer that methods explain, classes."""

from .default_layer import attention_maps, classes, default_layer, last_maps, spatial_layers
from .unit_layers import unit_layers

__all__ = ["attention_maps", "classes", "default_layer", "last_maps", "spatial_layers", "unit_layers"]
