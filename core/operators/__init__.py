"""Image-space steps with exact adjoints; everything a picture is made of, without any framework's autodiff.

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
from .framed import Framed
from .jitter import Jitter
from .noise import Noise
from .normalise import Normalise
from .operator import Chain, Composition, Identity, Operator, Pull, Size, Step
from .pad import Pad
from .phase import AMPLITUDES, Phase, natural_magnitude
from .pyramid import Pyramid
from .resize import Resize
from .rotate import Rotate
from .shared_part import Shared
from .smooth_max import SmoothMax

__all__ = [
    "AMPLITUDES",
    "LUCID",
    "NATURAL",
    "PHOTOGRAPHS",
    "Blur",
    "Chain",
    "Clip",
    "Colour",
    "Composition",
    "Crop",
    "Fourier",
    "Framed",
    "Identity",
    "Jitter",
    "Noise",
    "Normalise",
    "Operator",
    "Pad",
    "Phase",
    "Pull",
    "Pyramid",
    "Resize",
    "Rotate",
    "Shared",
    "Sigmoid",
    "Size",
    "SmoothMax",
    "Step",
    "natural_magnitude",
]
