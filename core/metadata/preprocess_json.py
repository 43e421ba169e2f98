"""Preprocessing as JSON: `Preprocess`'s own keywords, and the files of Hugging Face, timm and torchvision."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from ..errors import ParameterError, did_you_mean
from ..reading.text_file import parse_json
from .preprocess_text import KEYWORDS

__all__ = ["MOST_BYTES", "Keywords", "keywords_from_file", "keywords_from_json", "keywords_from_mapping", "read_json"]

MOST_BYTES = 1 << 24
"""A larger file of metadata is refused before it is read."""


class Keywords(NamedTuple):
    """Keywords of `Preprocess`, and whether they are for images in [0, 1] whatever a model's bounds are."""

    keywords: dict[str, Any]
    for_unit_range: bool = False


def keywords_from_file(path: Path) -> Keywords:
    """The preprocessing in a JSON file: one's own, preprocessor_config.json, or timm's config.json.

    Raises:
        ParameterError: the file cannot be read, is not JSON, or holds what crosslens could not do.
    """
    try:
        return _keywords(read_json(path))
    except (OSError, ValueError) as error:
        raise ParameterError(f"cannot read a preprocessing from '{path}': {error}") from error


def keywords_from_json(text: str) -> Keywords:
    """The preprocessing in JSON text.

    Raises:
        ParameterError: it is not JSON, or holds what crosslens could not do.
    """
    try:
        return _keywords(parse_json(text))
    except ValueError as error:
        shown = text if len(text) < 80 else f"{text[:77]}..."
        raise ParameterError(f"cannot read a preprocessing from {shown!r}: {error}") from error


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError, ValueError: it cannot be read, is too large or no JSON; the text of the error says so in a few words.
    """
    try:
        if not S_ISREG(path.stat().st_mode):
            raise ValueError("it is not a regular file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise OSError(error.strerror or "it cannot be read") from error
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES >> 20} MiB")
    try:
        return parse_json(content)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error


def keywords_from_mapping(mapping: Mapping[str, Any]) -> Keywords:
    """The keywords of `Preprocess` in a mapping of them, or in what Hugging Face, timm and torchvision write.

    What concerns sizes and crops is not looked at: pictures are resized where they are loaded.

    Raises:
        ParameterError: a key that crosslens does not know, or a step that it could not do.
    """
    if "crosslens_metadata" in mapping:
        return _of_a_side_file(mapping)
    mapping = next((mapping[key] for key in _TIMM_PARTS if isinstance(mapping.get(key), Mapping)), mapping)
    if mapping.keys() & _HUGGING_FACE:
        return _hugging_face(mapping)
    if {"mean", "std"} <= mapping.keys() and mapping.keys() & _TIMM:
        return Keywords({"mean": mapping["mean"], "std": mapping["std"]}, for_unit_range=True)
    unknown = sorted(map(str, mapping.keys() - {*KEYWORDS}))
    if unknown:
        hint = did_you_mean(unknown[0], KEYWORDS)
        raise ParameterError(f"preprocess has no {', '.join(unknown)}; it takes scale, mean, std and order.{hint}")
    return Keywords(dict(mapping))


def _keywords(content: Any) -> Keywords:
    if not isinstance(content, Mapping):
        raise ParameterError(
            f'a preprocessing in JSON is an object, {{"mean": [0.5], "std": [0.2]}}; this is a {type(content).__name__}'
        )
    if not content:
        raise ParameterError("a preprocessing in JSON holds nothing; write preprocess=None for none")
    return keywords_from_mapping(content)


def _of_a_side_file(content: Mapping[str, Any]) -> Keywords:
    """The preprocessing of another model, in the side file that `crosslens attach` wrote for it."""
    inner = content.get("preprocess")
    if not isinstance(inner, Mapping) or content.get("bounds") not in (None, [0, 1]) or inner.keys() - {*KEYWORDS}:
        raise ParameterError(
            "this file of `crosslens attach` holds no preprocessing in numbers for images in [0, 1]; give the numbers, "
            "mean=...,std=..."
        )
    return Keywords(dict(inner), for_unit_range=True)


_TIMM_PARTS = ("pretrained_cfg", "default_cfg")
_TIMM = frozenset({"input_size", "interpolation", "crop_pct", "first_conv", "classifier", "num_classes"})
"""Some keys of timm's pretrained_cfg, by which it is recognised."""
_HUGGING_FACE = frozenset(
    {"image_mean", "image_std", "rescale_factor", "do_normalize", "do_rescale", "image_processor_type"}
    | {"feature_extractor_type", "do_flip_channel_order"}
)
"""Some keys of preprocessor_config.json, by which it is recognised."""
_GEOMETRY = frozenset(
    {"do_resize", "size", "resample", "do_center_crop", "crop_size", "crop_pct", "do_pad", "pad_size", "size_divisor"}
    | {"default_to_square", "do_convert_rgb", "processor_class", "data_format", "input_data_format", "device"}
    | {"return_tensors", "disable_grouping", "do_reduce_labels", "use_square_size", "antialias", "shortest_edge"}
)
"""Keys of preprocessor_config.json that do not concern the values of pixels, apart from those that start with "_"."""


def _hugging_face(config: Mapping[str, Any]) -> Keywords:
    """Pixels from 0 to 255, times rescale_factor, minus image_mean, divided by image_std."""
    other = [
        key
        for key, value in config.items()
        if key not in _HUGGING_FACE | _GEOMETRY and not str(key).startswith("_") and value not in (None, False)
    ]
    if other:
        raise ParameterError(
            f"{_listed(other)} of this preprocessor_config.json is a step that crosslens does not do; give the numbers "
            "that pixels in [0, 1] need: mean=...,std=..."
        )
    factor = config.get("rescale_factor")
    rescale = config.get("do_rescale") is not False
    keywords: dict[str, Any] = {"scale": 1.0 if rescale else 255.0}
    if rescale and isinstance(factor, int | float):
        # what 1/255 becomes when it is written with sixteen digits is 1 again
        keywords["scale"] = float(f"{255 * factor:.12g}")
    if config.get("do_normalize", "image_mean" in config):
        missing = [key for key in ("image_mean", "image_std") if config.get(key) is None]
        if missing:
            raise ParameterError(f"this preprocessor_config.json has do_normalize but no {_listed(missing)}")
        keywords |= {"mean": config["image_mean"], "std": config["image_std"]}
    return Keywords(keywords | ({"order": "BGR"} if config.get("do_flip_channel_order") else {}), for_unit_range=True)


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(repr(str(name)) for name in names)
