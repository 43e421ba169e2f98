"""`crosslens run`: one method on one model and one picture."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..arrays import as_numpy
from ..errors import ParameterError
from ..image.false_colour import check_bands
from ..image.io import load_image
from ..method.base import Method, makes_pictures
from ..method.dataset import AnyMethod, DatasetMethod
from ..model.base import OUTPUT, Model
from ..objective import ClassScore, Objective
from ..objective.target import resolve_target
from ..result import Attribution, Result
from ..result.display import FORMS
from ..result.scores import Scores
from ._dataset import dataset_command
from ._files import Writable, WritingCommand, check_animation
from ._models import MODEL, MODEL_OPTIONS, open_model, quiet
from ._parameters import MethodGroup, build_method, parameter_options
from ._pictures import BANDS, load_pictures, picture_files
from ._progress import bar
from ._spelling import replace_keywords
from ._tables import JSON, echo_json

__all__ = ["TARGET", "command"]

_OUT = click.Option(
    ["-o", "--out"], type=Writable(".png", ".npz"), help="Write a picture, or raw values and provenance."
)
_ANIMATED = click.Option(
    ["-o", "--out"],
    type=Writable(".png", ".npz", ".gif", ".webp", ".mp4"),
    help="Write a picture, raw values and provenance, or the pictures as an animation.",
)
TARGET = click.Option(
    ["--target"],
    metavar="TARGET",
    help="What to explain: a class number, a label, probability:281, output:281, channel:LAYER:11, "
    "neuron:LAYER:11:3:4 (of tokens neuron:LAYER:UNIT:TOKEN), region:LAYER:CHANNEL:MASK.png, on maps of classes "
    "mask:MASK.png:CLASS and box:X0:Y0:X1:Y1:CLASS, "
    "layer:LAYER, strongest:LAYER (the sum of its strongest channel), "
    "negative:LAYER:11, interpolate:LAYER:3:11:0.5, random_direction:LAYER:0, "
    "cosine:LAYER:0:2, direction:LAYER:FILE.npy:0, diversity:LAYER, norm:6, "
    "total_variation:2, or these with + - * / and numbers, such as '(281 + 285) / 2 - 0.01 * total_variation:2'; "
    "'A | B' makes a picture for each; the predicted class if not given (of one sigmoid the positive class).",
)


_HISTORY = click.Option(
    ["--history"],
    type=Writable(".png", ".svg"),
    help="Plot the objective step by step (needs matplotlib: pip install 'crosslens[plot]').",
)


_FORM = click.Option(
    ["--form"],
    type=click.Choice(list(FORMS)),
    help="How the map is drawn: "
    + "; ".join(f"{name}, {text}" for name, text in FORMS.items())
    + ". Magnitudes where each pixel has values of its own (gradients), else the overlay.",
)


def _draws_maps(kind: type[Method]) -> bool:
    """Whether it comes back with an `Attribution`, as the annotation of its `run` says."""
    returned = kind.run.__annotations__.get("return")
    return isinstance(returned, type) and issubclass(returned, Attribution)


def _command(kind: type[AnyMethod]) -> click.Command:
    if issubclass(kind, DatasetMethod):
        return dataset_command(kind)
    image = click.Argument(["image"], required=kind.needs_images, type=click.Path(path_type=Path))
    target = [TARGET] if kind.needs_target else []
    params = [
        MODEL,
        image,
        *target,
        *parameter_options(kind),
        _ANIMATED if kind.animates else _OUT,
        *([_HISTORY] if makes_pictures(kind) else []),
        *([_FORM] if _draws_maps(kind) else []),
        BANDS,
        *MODEL_OPTIONS,
        JSON,
    ]
    return WritingCommand(kind.name, callback=partial(_run_method, kind), params=params, help=kind.__doc__)


def _run_method(
    kind: type[Method],
    *,
    model: str,
    image: Path | None,
    out: Path | None,
    as_json: bool,
    target: str | None = None,
    history: Path | None = None,
    bands: tuple[int, ...] | None = None,
    form: str | None = None,
    **options: Any,
) -> None:
    method: Method = build_method(kind, options)
    _check_form(form, out)
    check_animation(method, out)
    with quiet(), bar() as progress:
        network = open_model(model, options)
        pictures = None if image is None else _pictures(image, network, method)
        count = None if pictures is None else pictures.shape[0]
        objective = resolve_target(target, network, count) if kind.needs_target else None
        check_bands(bands, network.input.example_shape[0])
        result: Result = replace(method(network, pictures, objective, progress=progress), bands=bands)
        explained = {} if objective is None or pictures is None else _explained_class(network, objective, pictures)
    if out:
        result.save(out, form)
    if history:
        result.save_history(history)  # type: ignore[attr-defined]  # the option is there for a Synthesis only
    for note in result.notes:
        click.echo(f"Note: {replace_keywords(note, click.get_current_context())}", err=True)
    record = {"model": model, "image": image and str(image), **_record(result), "target": explained}
    if as_json:
        echo_json({**record, "file": out and str(out)})
    else:
        click.echo(f"{result.method} of {model}" + (f" on {image}" if image else ""))
        if kind.needs_target:
            click.echo(f"explained: {_explanation_text(record)}")
        if layers := result.provenance["layers"]:
            click.echo(f"layer: {', '.join(layers)}" + " (the default)" * result.provenance["default_layer"])
        for name, value in result.figures().items():
            click.echo(f"{name}: {_short(value)}")
        click.echo(
            f"written: {out}" if out else "nothing written: -o FILE.png writes a picture, -o FILE.npz raw values"
        )


def _check_form(form: str | None, out: Path | None) -> None:
    """Refuse a form that nothing would be drawn in, before the long work."""
    if form and (out is None or out.suffix != ".png"):
        raise ParameterError("--form says how a picture is drawn; give -o FILE.png as well")


def _pictures(place: Path, model: Model, method: Method) -> Any:
    """A picture, or a folder's as one batch."""
    if place.is_dir():
        return load_pictures(picture_files([place]), like=model)
    return load_image(place, like=model, whole=method.takes_any_size())


def _explained_class(model: Model, objective: Objective, pictures: Any) -> dict[str, Any]:
    """The class that was explained, and its probability or score; nothing where it was no class."""
    if not isinstance(objective, ClassScore):
        return {}
    activations = model.forward(pictures, {OUTPUT, *objective.layers})
    spec = model.output
    best = int(as_numpy(objective.classes(activations))[0])
    names = spec.names(model.labels)
    value = float(spec.values(as_numpy(activations[OUTPUT]))[0, best])
    unit = "probability" if spec.has_probabilities else "score"
    return {"class": best, "label": names[best] if names else None, unit: value}


def _record(result: Result) -> dict[str, Any]:
    """The result as JSON can hold it, without the arrays."""
    record: dict[str, Any] = {
        "method": result.method,
        "parameters": dict(result.parameters),
        "objective": result.provenance["objective"],
        "provenance": dict(result.provenance),
        "notes": list(result.notes),
    }
    if figures := result.figures():
        record |= {"figures": dict(figures)}
    if isinstance(result, Scores):
        record |= {"values": as_numpy(result.values).tolist(), **result.details()}
    if isinstance(result, Attribution):
        values = as_numpy(result.values)
        record |= {"values": {"shape": values.shape, "least": float(values.min()), "largest": float(values.max())}}
        record |= {} if result.scores is None else {"score": float(as_numpy(result.scores)[0])}
    return record


def _short(value: Any) -> str:
    """A figure in four digits; anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _explanation_text(record: Mapping[str, Any]) -> str:
    target = record["target"]
    score = f", score {record['score']:.4g}" if "score" in record else ""
    if not target:
        return f"{record['objective']}{score}"
    name = f"{target['label']} (class {target['class']})" if target["label"] else f"class {target['class']}"
    objective = str(record["objective"])
    place = f": {objective}" * (" at " in objective)
    if "probability" not in target:
        return f"{target['label'] or objective}, {target['score']:.4g}"
    return f"{name}, probability {target['probability']:.3f}{score}{place}"


command = MethodGroup(
    "run",
    _command,
    "METHOD MODEL [IMAGE|FOLDER] [OPTIONS]",
    shared=[TARGET, _OUT, BANDS, *MODEL_OPTIONS, JSON],
    short_help="Explain a picture to a model with one method.",
    help="Explain one picture to a model with one method: crosslens run grad_cam net.onnx cat.jpg -o cat.png",
)
