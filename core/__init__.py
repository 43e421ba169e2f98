"""crosslens: see inside vision networks, with one engine for PyTorch, TensorFlow/Keras and ONNX Runtime.

>>> import crosslens
>>> crosslens.method("grad_cam").name
'grad_cam'
"""

from .execution import command_start as command_start  # ctrl-C during the imports below, which take a second

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import explorer as explorer  # adds its pages to what a survey shows
from . import report as report  # adds .html to what a comparison can be saved as
from .data import Source, Statistic, concept_data, data
from .errors import CrosslensError
from .image.io import load_image, save_image
from .method.base import Method
from .method.dataset import DatasetMethod
from .method.parameter import param
from .model.base import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model, Pullback
from .model.preprocessing import PRESETS, Preprocess
from .objective import Objective
from .plugins.hookspecs import hookimpl
from .plugins.method_by_name import method
from .plugins.registry import backends, methods
from .plugins.wrap import wrap
from .result import Attribution, Result, Synthesis
from .result.scores import Scores
from .result.table import Table
from .survey.loading import load

if TYPE_CHECKING:
    from .alignment.align import Alignment, align
    from .alignment.divergence import Divergence, diverge
    from .checkpoints.steady_embedding import steady_embedding
    from .checkpoints.steady_points import SteadyPoints
    from .comparison.compare import Comparison, compare
    from .explorer.explore import explore
    from .explorer.site import Site
    from .picture_run.run import PictureSummary, run_pictures
    from .plugins.attach import attach
    from .robustness.curve import RobustnessCurve
    from .robustness.robustness_curve import robustness_curve
    from .robustness.transfer import transfer
    from .robustness.transfer_matrix import Transfer
    from .style_training.style_losses import StyleLosses, style_losses
    from .style_training.train_style import train_style
    from .style_training.trained_style import TrainedStyle
    from .survey.survey import Survey
    from .survey.sweep import sweep
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
    "RobustnessCurve",
    "Scores",
    "Search",
    "Site",
    "Source",
    "Statistic",
    "SteadyPoints",
    "StyleLosses",
    "Survey",
    "Synthesis",
    "Table",
    "TrainedStyle",
    "Transfer",
    "Trial",
    "align",
    "attach",
    "backends",
    "compare",
    "concept_data",
    "data",
    "diverge",
    "explore",
    "hookimpl",
    "load",
    "load_image",
    "method",
    "methods",
    "param",
    "robustness_curve",
    "run_pictures",
    "save_image",
    "search",
    "steady_embedding",
    "style_losses",
    "sweep",
    "train_style",
    "transfer",
    "wrap",
]

_LATER = {
    "Alignment": ".alignment.align",
    "align": ".alignment.align",
    "Divergence": ".alignment.divergence",
    "diverge": ".alignment.divergence",
    "Comparison": ".comparison.compare",
    "compare": ".comparison.compare",
    "Site": ".explorer.site",
    "explore": ".explorer.explore",
    "PictureSummary": ".picture_run.run",
    "run_pictures": ".picture_run.run",
    "attach": ".plugins.attach",
    "RobustnessCurve": ".robustness.curve",
    "robustness_curve": ".robustness.robustness_curve",
    "Transfer": ".robustness.transfer_matrix",
    "transfer": ".robustness.transfer",
    "SteadyPoints": ".checkpoints.steady_points",
    "steady_embedding": ".checkpoints.steady_embedding",
    "search": ".synthesis.random_search",
    "Search": ".synthesis.search_result",
    "Trial": ".synthesis.search_result",
    "StyleLosses": ".style_training.style_losses",
    "style_losses": ".style_training.style_losses",
    "Survey": ".survey.survey",
    "TrainedStyle": ".style_training.trained_style",
    "train_style": ".style_training.train_style",
    "sweep": ".survey.sweep",
}
"""Names whose modules are imported when they are first used: `import crosslens` and the shell's help stay quick."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
