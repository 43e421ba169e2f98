"""What a model's file carries beside the network: read, written, and set against what the user gives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..execution.notices import notice
from ..files.whole_file import write_text
from ..metadata.metadata import Metadata
from ..metadata.origin import Origin
from ..metadata.side_file import read_side_file, side_file
from ..model.base import Model
from ..model.input_spec import InputSpec
from ..model.preprocessing import Preprocess, preprocessing
from .default_preprocessing import if_picture, tell_of_picture
from .lookup import in_words, names_for_file, names_for_object
from .registry import BACKENDS, load, plugin

__all__ = ["lasting_options", "metadata_of", "read_metadata", "tell_origin", "with_metadata", "write_metadata"]


def read_metadata(network: Any) -> Metadata | None:
    """What the file of a network, or a framework's object, says of it; None if nothing.

    Raises:
        ModelError: it is damaged, or the file and its side file contradict each other.
    """
    is_file = isinstance(network, str | Path)
    names = names_for_file(Path(network)) if is_file else names_for_object(network)
    inside = [each for name in names for each in _hooks(name).crosslens_metadata(network=network)]
    beside = read_side_file(Path(network)) if is_file else None
    if inside and beside and inside[0] != beside:
        raise ModelError(
            f"{inside[0].where} and {beside.where} say different things of the network; delete the second, or write "
            f"what is right with `crosslens attach {network} --clear ...`"
        )
    return inside[0] if inside else beside


def write_metadata(model: Path, metadata: Metadata | None) -> Path:
    """Write metadata into a model's file where its backend can, else into the side file; None removes both.

    Whole or not at all.

    Returns:
        The file that was written or removed.

    Raises:
        ModelError: there is no such model, or the file cannot be written.
    """
    beside = side_file(model)
    if any(
        done for name in names_for_file(model) for done in _hooks(name).crosslens_attach(path=model, metadata=metadata)
    ):
        beside.unlink(missing_ok=True)
        return model
    if metadata is None:
        beside.unlink(missing_ok=True)
    else:
        write_text(beside, metadata.to_json() + "\n", ModelError)
    return beside


def metadata_of(said: Mapping[str, Any], bounds: tuple[float, float] | None) -> Metadata:
    """Options of `crosslens.wrap` as a file carries them.

    Args:
        said: preprocess, in any form, labels, bounds, input_shape, output_kind; any of them.
        bounds: of the images that the preprocessing is for; [0, 1] if not given.

    Raises:
        ModelError: an `InputSpec` stands where a shape belongs.
        ParameterError: there is no such preprocessing.
    """
    values: dict[str, Any] = dict(said)
    if "preprocess" in said:
        numbers = preprocessing(said["preprocess"], bounds)
        values["preprocess"] = {"scale": numbers.scale, "mean": list(numbers.mean), "std": list(numbers.std)}
        values["preprocess"] |= {"order": numbers.order}
    if isinstance(said.get("input_shape"), InputSpec):
        raise ModelError("input_shape is an InputSpec, which a file cannot carry; give (C, H, W) and bounds=")
    values |= {name: tuple(said[name]) for name in ("labels", "bounds", "input_shape") if name in said}
    return Metadata(**values)


def _hooks(name: str) -> Any:
    return load(plugin(BACKENDS, name)).hook


def with_metadata(
    carried: Metadata | None, options: Mapping[str, Any], asked: Mapping[str, Any]
) -> tuple[dict[str, Any], Origin]:
    """The options of `wrap` with what the file carries where the user asked for nothing, and where they come from.

    Args:
        carried: what the file says.
        options: all options of `wrap`.
        asked: those of them that the user gave, which count before the file's.
    """
    if carried is None:
        return dict(options), Origin("given" if "preprocess" in asked else "default")
    said = _options_of(carried)
    merged = {**options, **{name: value for name, value in said.items() if name not in asked}}
    source = "given" if "preprocess" in asked else "default"
    if "preprocess" in said:
        said["preprocess"] = _preprocess_within(carried, _bounds(merged))
        if "preprocess" not in asked:
            source, merged["preprocess"] = "file", said["preprocess"]
    others = tuple(name for name in said if name in asked and _differs(name, asked[name], said[name], _bounds(merged)))
    return merged, Origin(source, carried, others)


def lasting_options(asked: Mapping[str, Any], options: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """The options that make the same model again, whatever its file says by then."""
    carried = _options_of(origin.carried) if origin.carried else {}
    taken: dict[str, Any] = {"default": {"preprocess": "imagenet"}, "picture": {"preprocess": None}}
    default = taken.get(origin.preprocess, {})
    return {**default, **{name: options[name] for name in carried}, **asked}


def tell_origin(model: Model, network: Any) -> None:
    """Tell a default preprocessing that was taken, and what was given otherwise than the network's file says."""
    if text := model.origin.contradiction:
        notice(text)
    tell_of_picture(model, in_words(network))
    if model.takes_default_preprocessing:
        notice(
            f'{in_words(network)}: preprocess= is not given, and it carries none: "imagenet" is taken '
            f'({model.preprocess}). Give what the network was trained on: preprocess="mean=.5,std=.25", or None for '
            f"none; crosslens.attach writes it into a model's file{if_picture(model)}{_configuration_beside(network)}"
        )


def _options_of(carried: Metadata) -> dict[str, Any]:
    """What a file says, as options of `crosslens.wrap`: a decoder of features takes codes of any height and width."""
    if carried.style is None or carried.style.code is None:
        return carried.options()
    return {**carried.options(), "input_shape": InputSpec((carried.style.code[0], None, None), None)}


def _configuration_beside(network: Any) -> str:
    """A hint where Hugging Face's preprocessor_config.json lies in the folder of the model."""
    beside = Path(network).parent / "preprocessor_config.json" if isinstance(network, str | Path) else None
    return f"; preprocess='{beside}' takes what lies beside it" if beside and beside.is_file() else ""


def _bounds(options: Mapping[str, Any]) -> tuple[float, float] | None:
    """The bounds that the images will have, as far as the options say it."""
    shape, bounds = options["input_shape"], options["bounds"]
    return shape.bounds if bounds is None and isinstance(shape, InputSpec) else bounds


def _preprocess_within(carried: Metadata, bounds: tuple[float, float] | None) -> Preprocess:
    """The file's preprocessing, which is for images within the file's bounds, for images within others."""
    try:
        own = preprocessing(carried.preprocess, carried.bounds)
    except ValueError as error:
        raise ModelError(f"{carried.where} says what cannot be done: {error}") from error
    return own.from_bounds(bounds, carried.bounds)


def _differs(name: str, asked: Any, said: Any, bounds: tuple[float, float] | None) -> bool:
    if name == "preprocess":
        return bool(preprocessing(asked, bounds) != said)
    if isinstance(asked, InputSpec):
        return bool(asked.shape != said)
    return bool((asked if isinstance(asked, str) else tuple(asked)) != said)
