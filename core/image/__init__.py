"""Images: reading and writing files, colours, overlays, contact sheets, animations."""

from .colormap import colour, full_scale
from .contact_sheet import contact_sheet
from .false_colour import check_bands, false_colour, side_by_side
from .io import load_image, save_image
from .overlay import opacity, overlay
from .video import save_animation

__all__ = [
    "check_bands",
    "colour",
    "contact_sheet",
    "false_colour",
    "full_scale",
    "load_image",
    "opacity",
    "overlay",
    "save_animation",
    "save_image",
    "side_by_side",
]
