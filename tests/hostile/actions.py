"""What a user does with a file: a model is opened, listed and differentiated, a picture or an array is read."""

from pathlib import Path
from types import SimpleNamespace

import crosslens
import numpy as np
from crosslens.errors import CrosslensError
from crosslens.testing import TinyModel

__all__ = ["explain_model", "load_result", "read_array", "read_data", "read_picture"]

_LARGEST = 1_000_000
"""Values of an input that is made here; a network may ask for any."""


def explain_model(path: Path) -> None:
    """Wrap a file, list its layers, predict, and take a gradient.

    Raises:
        CrosslensError: it cannot be.
        AssertionError: a gradient of another shape.
    """
    model = crosslens.wrap(str(path), preprocess=None, **({"trust": True} if path.name == "net.pt" else {}))
    _ = list(model.layers)
    shape = [each or 8 for each in model.input.shape]
    if np.prod([float(each) for each in shape]) > _LARGEST:
        raise CrosslensError("an input that is too large for this test")
    images = np.random.default_rng(0).random((2, *shape), np.float32)
    model.forward(images)
    method = crosslens.method("gradient")
    result = method(model, images, target=0)
    assert result.values.shape[0] == 2, f"gradient of shape {result.values.shape}"


def read_picture(path: Path) -> None:
    """Read a picture as 3 x 32 x 32."""
    image = crosslens.load_image(str(path), size=(32, 32))
    assert np.isfinite(image).all()


def read_array(path: Path) -> None:
    """Read an array as the image of a network with three channels."""
    spec = crosslens.InputSpec((3, 20, 24))
    crosslens.load_image(str(path), SimpleNamespace(input=spec, layout=None))  # type: ignore[arg-type]


def read_data(path: Path) -> None:
    """Read all of a data set."""
    source, model = crosslens.data(str(path)), TinyModel()
    for start in range(0, min(len(source), 64), 8):
        source.read(start, min(start + 8, len(source)), model)


def load_result(path: Path) -> None:
    """Load a result that was saved."""
    crosslens.load(str(path))
