"""The options that describe a model on the command line, and the model that `crosslens.wrap` makes of them."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import click

from ...arrays import Array
from ...errors import ParameterError
from ...execution.native_log import filter_native_log
from ...limits.regular_file import check_regular_file
from ...limits.whole_numbers import is_whole_number
from ...model.base import Model
from ...model.output.output_spec import KINDS
from ...model.preprocessing import PRESETS
from ...plugins.wrap import wrap
from ...reading.array_file import read_npy
from .._text.echo import echo
from .files import read_labels

__all__ = [
    "MODEL",
    "MODEL_OPTIONS",
    "OPTIONS_OF_MODELS",
    "PREPROCESS_FORMS",
    "open_model",
    "open_models",
    "quiet",
    "wrap_options",
]


class Range(click.ParamType):  # type: ignore[type-arg]
    """The least and the largest value of an image, as "0,255"."""

    name = "LOW,HIGH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        try:
            low, high = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a range; write two numbers with a comma, 0,255 for example", param, ctx)
        return low, high


class Shape(click.ParamType):  # type: ignore[type-arg]
    """(C, H, W) as "3,224,224", (C, D, H, W) of a volume; "any" or "?" for a side that may be of any size."""

    name = "C,H,W"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | None, ...]:
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part in {"any", "?"} or is_whole_number(part) for part in parts):
            self.fail(f"{value!r} is not a shape; write 3,224,224, or 3,any,any", param, ctx)
        return tuple(None if part in {"any", "?"} else int(part) for part in parts)


class InputArray(click.ParamType):  # type: ignore[type-arg]
    """The name of an input and the array that it holds, as "mask=mask.npy"."""

    name = "NAME=FILE.npy"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Array]:
        name, _, file = str(value).partition("=")
        if not name or not file.endswith(".npy"):
            self.fail(
                f"{value!r} is not NAME=FILE.npy; write the input's name and a file of numpy.save, mask=mask.npy",
                param,
                ctx,
            )
        check_regular_file(file, ParameterError, "array")
        try:
            return name, read_npy(file)
        except ValueError as error:
            self.fail(f"'{file}' cannot be read as an array: {error}", param, ctx)


_KINDS = [kind for kind in KINDS if kind != "tensor"]
PREPROCESS_FORMS = (
    f"{', '.join(PRESETS)}, none; mean=.3,std=.35,order=BGR (three numbers: mean=.485/.456/.406); or a .json file."
)
"""The forms of a preprocessing, for the help of an option."""
MODEL = click.Argument(["model"])
MODEL_OPTIONS = [
    click.Option(
        ["--preprocess"],
        metavar="PREPROCESS",
        help=f"Preprocessing of the network: {PREPROCESS_FORMS}",
    ),
    click.Option(
        ["--input-shape"],
        type=Shape(),
        help="Shape of an image, where the file does not say it: 3,224,224, or 3,any,any.",
    ),
    click.Option(["--input-range"], type=Range(), help="The least and largest value of an image; 0,1 if not given."),
    click.Option(["--output"], metavar="NAME", help="The network's output to explain, where there are several."),
    click.Option(
        ["--output-kind"],
        type=click.Choice(_KINDS),
        metavar="KIND",
        help="Kind of the output's values, where crosslens cannot tell; `crosslens doctor MODEL` shows it: "
        + ", ".join(_KINDS)
        + ".",
    ),
    click.Option(
        ["--hold"],
        type=InputArray(),
        metavar="NAME=FILE.npy",
        multiple=True,
        help="A fixed value for an input of the network other than the image.",
    ),
    click.Option(["--trust"], is_flag=True, help="Open files that can run code: TorchScript, pickled modules."),
    click.Option(["--batch-size"], type=int, metavar="N", help="Images at once; chosen by free memory if not given."),
    click.Option(["--device"], help="Device on which PyTorch computes: cpu, cuda."),
    click.Option(
        ["--providers"],
        metavar="NAMES",
        help="Where onnxruntime computes, the first choice first: CUDAExecutionProvider,CPUExecutionProvider.",
    ),
    click.Option(
        ["--labels"], type=click.Path(path_type=Path), metavar="FILE", help="Class names: JSON list or lines."
    ),
]

_PREPROCESS_EACH = click.Option(
    ["--preprocess"],
    metavar="PREPROCESS",
    multiple=True,
    help=f"Preprocessing of the networks: {PREPROCESS_FORMS} Once for all, or once for each in their order.",
)
OPTIONS_OF_MODELS = [_PREPROCESS_EACH, *MODEL_OPTIONS[1:]]
"""`MODEL_OPTIONS` of a command on several models."""


@contextmanager
def quiet() -> Iterator[None]:
    """Send what frameworks print to stderr, less what they log at their start: stdout is the command's own."""
    with filter_native_log(), redirect_stdout(sys.stderr):
        yield


def open_model(spec: str, options: Mapping[str, Any]) -> Model:
    """The model of a path, "package.module:factory" or "demo:NAME", with the values of `MODEL_OPTIONS`.

    Raises:
        ModelError: it cannot be wrapped, or the labels are not as many as its classes.
    """
    model = wrap(spec, **wrap_options(options))
    if text := model.origin.contradiction:
        echo(f"Note: {text}", err=True)
    if model.origin.preprocess == "picture":
        echo("preprocess: none (the default: the output is a picture; --preprocess changes it)", err=True)
    if model.takes_default_preprocessing:
        echo("preprocess: imagenet (the default; --preprocess changes it)", err=True)
    return model


def wrap_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `MODEL_OPTIONS` as options of `crosslens.wrap`."""
    preset = options["preprocess"]
    return {
        **({} if preset is None else {"preprocess": preset}),
        "labels": read_labels(options["labels"]) if options["labels"] else None,
        "batch_size": options["batch_size"],
        "input_shape": options["input_shape"],
        "bounds": options["input_range"],
        "output": _output(options["output"]),
        "output_kind": options["output_kind"],
        "inputs": dict(options["hold"]) or None,
        "device": options["device"],
        "providers": options["providers"].split(",") if options["providers"] else None,
        "trust": options["trust"],
    }


def open_models(specs: Sequence[str], options: Mapping[str, Any]) -> list[Model]:
    """The models of several paths or names, with the values of `OPTIONS_OF_MODELS`.

    Raises:
        UsageError: --preprocess is given several times, but not once for each model.
        ModelError: see `open_model`.
    """
    given = options["preprocess"] or (None,)
    if len(given) not in {1, len(specs)}:
        raise click.UsageError(
            f"--preprocess is given {len(given)} times for {len(specs)} models; give it once for all, or once for each "
            "in their order"
        )
    each = given if len(given) > 1 else given * len(specs)
    return [open_model(spec, {**options, "preprocess": preset}) for spec, preset in zip(specs, each, strict=True)]


def _output(text: str | None) -> int | str | None:
    return int(text) if text is not None and is_whole_number(text) else text
