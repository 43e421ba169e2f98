"""`crosslens restyle`: give pictures and animations another style in one pass."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import ImageError, ParameterError
from ..image.io import load_image, save_image
from ..image.video import is_animation, read_animation, save_animation
from ..method.base import Method
from ..plugins.carried import read_metadata
from ..plugins.registry import image_method_class
from ._options.models import open_model, quiet
from ._options.output import Folder
from ._options.parameters import build_method
from ._options.writing import WritingCommand
from ._text.echo import echo
from ._text.progress import bar
from ._text.spelling import replace_keywords
from .run import method_params, run_method

__all__ = ["command"]

_ENCODER = click.Option(
    ["--encoder"], metavar="MODEL", help="AdaIN: the network whose features MODEL, a decoder, makes pictures of."
)
_LAYER = click.Option(
    ["--layer"],
    metavar="LAYER",
    help="AdaIN: the encoder's layer that the decoder was trained on, where its file does not say it.",
)
_OURS = {"parameter_decoder", "parameter_features"}
"""Parameters of the method that the command has in another form."""
_MOVING = (".gif", ".webp", ".mp4")


def _restyle(
    kind: type[Method],
    *,
    model: str,
    pictures: tuple[Path, ...],
    encoder: str | None,
    layer: str | None,
    **options: Any,
) -> None:
    """Give pictures another style.

    MODEL makes pictures of pictures (crosslens train-style trains one), in one
    pass:

    \b
        crosslens restyle wave.onnx cat.jpg -o wave-cat.png

    One of many styles, or a mixture of some, where the network has an input
    style_weights:

    \b
        crosslens restyle multistyle26.onnx cat.jpg --styles 3:0.7,7:0.3 -o x.png

    The style of any picture, where MODEL is a decoder of an encoder's features
    (AdaIN):

    \b
        crosslens restyle decoder.onnx cat.jpg --style wave.jpg \\
          --encoder vgg16.onnx --layer block4_conv1 -o cat.png

    A folder of pictures goes into a folder with an index; an animated .gif or
    .webp becomes .gif, .webp or .mp4, its frames' durations kept, or a folder
    of frames.
    """
    model, options = _with_encoder(model, encoder, layer, options)
    moving = [path for path in pictures if is_animation(path)]
    if moving and _wants_frames(moving[0], options["out"]):
        if len(pictures) > 1:
            raise ParameterError(
                f"'{moving[0]}' is an animation, which is restyled alone: leave the other pictures out"
            )
        _restyle_animation(build_method(kind, options), model, moving[0], options)
        return
    run_method(kind, model=model, pictures=pictures, **options)


def _with_encoder(
    model: str, encoder: str | None, layer: str | None, options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The model that sees the pictures, and the options of the method: with an encoder, MODEL is its decoder.

    Raises:
        ParameterError: a part of what AdaIN needs is missing.
    """
    if encoder is None:
        if layer is not None or options["parameter_style"] is not None:
            given = "--style" if layer is None else "--layer"
            raise ParameterError(
                f"{given} is for AdaIN, where MODEL is a decoder: give --encoder MODEL, --layer LAYER and --style "
                "PICTURE; style_transfer needs no decoder"
            )
        _refuse_decoder(model)
        return model, {**options, **dict.fromkeys(_OURS)}
    if options["parameter_style"] is None:
        raise ParameterError("--encoder is given without --style PICTURE")
    return encoder, {**options, "parameter_decoder": model, "parameter_features": layer}


def _refuse_decoder(model: str) -> None:
    """Refuse a decoder without what makes the features that it takes.

    Raises:
        ParameterError: its file says that it is one.
    """
    carried = read_metadata(model) if Path(model).is_file() else None
    if carried and carried.style and carried.style.is_decoder:
        raise ParameterError(
            f"'{model}' is a decoder of features: give --encoder {carried.style.encoder or 'MODEL'} and --style PICTURE"
        )


def _wants_frames(film: Path, out: Any) -> bool:
    """Whether all frames of an animation are written.

    Raises:
        ParameterError: they cannot be.
    """
    if isinstance(out, Folder) or (isinstance(out, Path) and out.suffix in _MOVING):
        return True
    if isinstance(out, Path):
        raise ParameterError(
            f"'{film}' is an animation, and '{out}' holds one picture: write .gif, .webp or .mp4, or into a folder"
        )
    return False


def _restyle_animation(method: Method, model: str, film: Path, options: Mapping[str, Any]) -> None:
    """Frame after frame, so that memory is that of one."""
    out = options["out"]
    frames, durations = read_animation(film)
    made, notes = [], dict[str, None]()
    with quiet(), bar("frames") as progress:
        network = open_model(model, options)
        for n, frame in enumerate(frames):
            picture = load_image(frame, like=network, whole=True)
            result = method(network, picture)
            made.append(result.picture())
            notes |= dict.fromkeys(result.notes)
            progress(n + 1, len(frames), "frames")
    for note in notes:
        echo(f"Note: {replace_keywords(note, click.get_current_context())}", err=True)
    if isinstance(out, Folder):
        _write_frames(out.path, film.stem, made)
    else:
        save_animation(made, out, durations)
    seconds = sum(durations) / 1000
    echo(f"{method.name} of {model} on {len(made)} frames of {film}, {seconds:g} s\nwritten: {out}")


def _write_frames(folder: Path, name: str, frames: list[Any]) -> None:
    """Each frame as a PNG: NAME-0001.png and so on."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"cannot write into the folder '{folder}': {error.strerror}") from error
    for n, frame in enumerate(frames, start=1):
        save_image(frame, folder / f"{name}-{n:04d}.png")


def _command() -> click.Command:
    kind = image_method_class("restyle")
    own = [each for each in method_params(kind) if each.name not in _OURS]
    places = [n for n, each in enumerate(own) if isinstance(each, click.Argument)]
    params = [*own[: places[-1] + 1], _ENCODER, _LAYER, *own[places[-1] + 1 :]]
    return WritingCommand("restyle", callback=partial(_restyle, kind), params=params, help=_restyle.__doc__)


command = _command()
