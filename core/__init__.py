"""crosslens: see inside vision networks, with one engine for PyTorch, TensorFlow/Keras and ONNX Runtime.

>>> import crosslens
>>> crosslens.method("grad_cam").name
'grad_cam'
"""

from .align import Alignment, align
from .compare import Comparison, compare
from .diverge import Divergence, diverge
from .errors import CrosslensError
from .hookspecs import hookimpl
from .image import load_image, save_image
from .method import Method, param
from .model import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model, Pullback
from .objective import Objective
from .plugins import backends, method, methods
from .preprocess import PRESETS, Preprocess
from .result import Attribution, Result, Synthesis
from .scores import Scores
from .search import search
from .trials import Search, Trial
from .wrap import wrap

__all__ = [
    "INPUT",
    "OUTPUT",
    "PRESETS",
    "Alignment",
    "Attribution",
    "Comparison",
    "CrosslensError",
    "Divergence",
    "InputSpec",
    "Layer",
    "Linearization",
    "Method",
    "Model",
    "Objective",
    "Preprocess",
    "Pullback",
    "Result",
    "Scores",
    "Search",
    "Synthesis",
    "Trial",
    "align",
    "backends",
    "compare",
    "diverge",
    "hookimpl",
    "load_image",
    "method",
    "methods",
    "param",
    "save_image",
    "search",
    "wrap",
]
