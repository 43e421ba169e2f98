"""`Metadata`: what a model's file says of the network in it, as JSON with a version.

    {
      "crosslens_metadata": 1,
      "preprocess": {"scale": 1, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "order": "RGB"},
      "labels": ["cat", "dog"],
      "bounds": [0, 1],
      "input_shape": [3, 224, null],
      "output_kind": "logits",
      "style": {"kind": "feed_forward", "norm": "instance", "styles": 1, "width": 32, "blocks": 5}
    }

Each key but the version may be left out; they mean what the options of `crosslens.wrap` of their names mean.
"preprocess" may also be text: "imagenet", "none", "mean=.5,std=.25". "style" describes a style network that crosslens
wrote: see `crosslens.style_network.spec.StyleSpec`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import ModelError, ParameterError, did_you_mean
from ..style_network.spec import StyleSpec
from .preprocess_json import keywords_from_mapping

__all__ = ["Metadata", "metadata_from_json"]

VERSION = 1
_VERSION_KEY = "crosslens_metadata"


@dataclass(frozen=True)
class Metadata:
    """Options of `crosslens.wrap` that a model's file carries; None for what it does not say."""

    preprocess: str | Mapping[str, Any] | None = None
    """Text such as "imagenet" or "mean=.5,std=.25", or keywords of `Preprocess`."""
    labels: tuple[str, ...] | None = None
    bounds: tuple[float, float] | None = None
    input_shape: tuple[int | None, ...] | None = None
    output_kind: str | None = None
    style: StyleSpec | None = None
    """What style network it is; no option of `crosslens.wrap`."""
    where: str = field(default="", compare=False)
    """The file, for messages."""

    def options(self) -> dict[str, Any]:
        """What it says, as options of `crosslens.wrap`."""
        return {name: value for name in _KEYS if name != _STYLE and (value := getattr(self, name)) is not None}

    def to_json(self) -> str:
        """As JSON text, which `metadata_from_json` reads."""
        style = {} if self.style is None else {_STYLE: self.style.as_json()}
        content = {_VERSION_KEY: VERSION, **self.options(), **style}
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


_STYLE = "style"
_KEYS = tuple(each.name for each in fields(Metadata) if each.name != "where")


def metadata_from_json(content: Any, where: str) -> Metadata:
    """What parsed JSON says.

    Raises:
        ModelError: it is none of crosslens, of a later version, or a value is not what belongs there.
    """
    if not isinstance(content, Mapping) or _VERSION_KEY not in content:
        raise _damaged(where, f'it has no "{_VERSION_KEY}": {VERSION}')
    version = content[_VERSION_KEY]
    if version != VERSION or isinstance(version, bool):
        raise _damaged(where, f"it has version {version!r} and this crosslens reads {VERSION}")
    values = {key: value for key, value in content.items() if key != _VERSION_KEY and value is not None}
    for key, value in values.items():
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS)
            raise _damaged(where, f"it has {key!r}, and only {', '.join(_KEYS)} can stand there.{hint}")
        wrong = _CHECKS[key](value)
        if wrong:
            raise _damaged(where, f"its {key} {wrong}")
    lists: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    if _STYLE in lists:
        lists[_STYLE] = StyleSpec.from_json(lists[_STYLE])
    return Metadata(**lists, where=where)


def _damaged(where: str, what: str) -> ModelError:
    return ModelError(
        f"{where} holds no metadata that can be read: {what}. Write it anew with `crosslens attach MODEL --clear ...`"
    )


def _wrong_preprocess(value: Any) -> str:
    if isinstance(value, str):
        return "names another file; write the numbers" * value.endswith(".json")
    if not isinstance(value, Mapping):
        return "is neither a text nor an object of scale, mean, std and order"
    try:
        keywords_from_mapping(value)
    except ParameterError as error:
        return f"is wrong ({error})"
    return ""


def _wrong_labels(value: Any) -> str:
    fits = isinstance(value, list) and value and all(isinstance(label, str) for label in value)
    return "" if fits else "are not a list of texts"


def _wrong_bounds(value: Any) -> str:
    fits = isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] < value[1]
    return "" if fits else "are not two numbers, the lower one first"


def _wrong_shape(value: Any) -> str:
    fits = isinstance(value, list) and all(n is None or (isinstance(n, int) and n > 0) for n in value)
    return "" if fits and len(value) in {3, 4} else "is not of the form [3, 224, null]"


def _wrong_style(value: Any) -> str:
    try:
        StyleSpec.from_json(value)
    except ParameterError as error:
        return f"is wrong ({error})"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


_CHECKS: Mapping[str, Callable[[Any], str]] = {
    "preprocess": _wrong_preprocess,
    "labels": _wrong_labels,
    "bounds": _wrong_bounds,
    "input_shape": _wrong_shape,
    "output_kind": lambda value: "" if isinstance(value, str) else "is not a text",
    _STYLE: _wrong_style,
}
"""By key, what is wrong with a value, as the end of a sentence; "" if nothing is."""
