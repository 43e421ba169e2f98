"""Linear operators on images with exact adjoints, and differentiable maps, without any framework's autodiff.

>>> import numpy as np
>>> view = Pad(2) >> Crop((12, 12), (8, 8), (1, 3))
>>> x = np.random.default_rng(0).random((1, 3, 8, 8))
>>> y = np.random.default_rng(1).random((1, 3, 8, 8))
>>> bool(np.isclose(((view.apply(x) - view.apply(0 * x)) * y).sum(), (x * view.adjoint(y)).sum()))
True
"""

from .blur import Blur
from .clamp import Clip, Sigmoid
from .colour import LUCID, PHOTOGRAPHS, Colour
from .crop import Crop
from .fourier import NATURAL, Fourier
from .grey import Grey
from .jitter import Jitter
from .noise import Noise
from .normalise import Normalise
from .operator import VJP, Chain, Composition, Differentiable, Identity, Operator, Size
from .pad import Pad
from .pad_resize_crop import PadResizeCrop
from .paste import Paste, Placement
from .phase import AMPLITUDES, Phase, natural_magnitude
from .pyramid import Pyramid
from .resize import Resize
from .rotate import Rotate
from .shared_part import SharedPart
from .smooth_max import SmoothMax

__all__ = [
    "AMPLITUDES",
    "LUCID",
    "NATURAL",
    "PHOTOGRAPHS",
    "VJP",
    "Blur",
    "Chain",
    "Clip",
    "Colour",
    "Composition",
    "Crop",
    "Differentiable",
    "Fourier",
    "Grey",
    "Identity",
    "Jitter",
    "Noise",
    "Normalise",
    "Operator",
    "Pad",
    "PadResizeCrop",
    "Paste",
    "Phase",
    "Placement",
    "Pyramid",
    "Resize",
    "Rotate",
    "SharedPart",
    "Sigmoid",
    "Size",
    "SmoothMax",
    "natural_magnitude",
]
