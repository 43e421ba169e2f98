"""A model in a few rows: what it is, what it takes and gives."""

from .backend import BackendModel
from .layer import OUTPUT, shape_in_words
from .output_spec import OutputSpec

__all__ = ["described"]

LABELS = 3
"""Class names that are shown."""


def described(model: BackendModel, output: OutputSpec | None) -> list[tuple[str, str]]:
    """Backend, input, output, preprocessing, labels and number of layers, as name and text; `output` if it is known."""
    versions = ", ".join(f"{name} {version}" for name, version in model.versions.items())
    low, high = model.input.bounds or (None, None)
    bounds = "" if low is None else f", values from {low:g} to {high:g}"
    rows = [
        ("backend", f"{model.backend} ({versions})"),
        ("input", shape_in_words(model.input.shape) + bounds),
        ("output", f"{shape_in_words(model.layers[OUTPUT].shape[1:])}{_meaning(output)}"),
        ("preprocessing", _preprocessing(model)),
        ("layers", f"{len(model.layers)}: model.layers lists them"),
    ]
    if model.labels is not None:
        more = ", ..." * (len(model.labels) > LABELS)
        rows.insert(3, ("labels", f"{len(model.labels)}: {', '.join(map(str, model.labels[:LABELS]))}{more}"))
    return rows


def _meaning(spec: OutputSpec | None) -> str:
    if spec is None:
        return ""
    return f", {spec.kind.replace('_', ' ')}" + f" ({spec.evidence})" * bool(spec.evidence)


def _preprocessing(model: BackendModel) -> str:
    if model.preprocess.identity:
        return "none"
    settings = ", ".join(f"{name} {value}" for name, value in vars(model.preprocess).items() if name != "preset")
    return f"{model.preprocess.preset}: {settings}" if model.preprocess.preset else settings
