"""crosslens: see inside vision networks, with one engine for PyTorch, TensorFlow/Keras and ONNX Runtime.

>>> import crosslens
>>> crosslens.method("grad_cam").name
'grad_cam'
"""

from . import report as report  # adds .html to what a comparison can be saved as
from .alignment.align import Alignment, align
from .alignment.divergence import Divergence, diverge
from .comparison.compare import Comparison, compare
from .data import Source, Statistic, data
from .errors import CrosslensError
from .image.io import load_image, save_image
from .method.base import Method
from .method.dataset import DatasetMethod
from .method.parameter import param
from .model.base import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model, Pullback
from .model.preprocessing import PRESETS, Preprocess
from .objective import Objective
from .picture_run.run import PictureSummary, run_pictures
from .plugins.attach import attach
from .plugins.hookspecs import hookimpl
from .plugins.method_by_name import method
from .plugins.registry import backends, methods
from .plugins.saved_result import load
from .plugins.wrap import wrap
from .result import Attribution, Result, Synthesis
from .result.scores import Scores
from .result.table import Table
from .synthesis.random_search import search
from .synthesis.search_result import Search, Trial

__all__ = [
    "INPUT",
    "OUTPUT",
    "PRESETS",
    "Alignment",
    "Attribution",
    "Comparison",
    "CrosslensError",
    "DatasetMethod",
    "Divergence",
    "InputSpec",
    "Layer",
    "Linearization",
    "Method",
    "Model",
    "Objective",
    "PictureSummary",
    "Preprocess",
    "Pullback",
    "Result",
    "Scores",
    "Search",
    "Source",
    "Statistic",
    "Synthesis",
    "Table",
    "Trial",
    "align",
    "attach",
    "backends",
    "compare",
    "data",
    "diverge",
    "hookimpl",
    "load",
    "load_image",
    "method",
    "methods",
    "param",
    "run_pictures",
    "save_image",
    "search",
    "wrap",
]
