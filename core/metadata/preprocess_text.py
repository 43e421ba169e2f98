"""Preprocessing as a line of text, as a user types it: "mean=.485/.456/.406,std=.229/.224/.225,order=BGR"."""

from typing import Any

from ..errors import ParameterError, did_you_mean

__all__ = ["KEYWORDS", "is_preprocess_text", "keywords_from_text", "preprocess_text"]

KEYWORDS = ("scale", "mean", "std", "order")
"""The keywords of `crosslens.Preprocess`."""


def is_preprocess_text(text: str) -> bool:
    """Whether a text is of the form "mean=.3,std=.35"."""
    return "=" in text and not text.lstrip().startswith("{")


def keywords_from_text(text: str) -> dict[str, Any]:
    """The keywords of `Preprocess` in a text such as "mean=.3,std=.35,order=BGR".

    Several numbers of one keyword stand between slashes or commas; a scale may be a fraction.

    >>> keywords_from_text("mean=.485/.456/.406,std=.229,.224,.225")
    {'mean': [0.485, 0.456, 0.406], 'std': [0.229, 0.224, 0.225]}
    >>> keywords_from_text("scale=1/255, order=bgr")
    {'scale': 0.00392156862745098, 'order': 'BGR'}

    Raises:
        ParameterError: a keyword that there is not, that stands twice or has no value; or what is not a number.
    """
    parts = _parts(text)
    return {name: _value(text, name, values) for name, values in parts.items()}


def _parts(text: str) -> dict[str, list[str]]:
    """The texts of the values by keyword; a part without a keyword belongs to the one before it."""
    parts: dict[str, list[str]] = {}
    name = ""
    for part in filter(None, (part.strip() for part in text.replace(";", ",").split(","))):
        before, equals, value = part.partition("=")
        if equals:
            name = before.strip()
            if name not in KEYWORDS:
                hint = did_you_mean(name, KEYWORDS)
                raise ParameterError(f"preprocess has no {name!r} ({text!r}); it takes {', '.join(KEYWORDS)}.{hint}")
            if name in parts:
                raise ParameterError(f"preprocess {text!r} gives {name} twice")
        elif not name:
            raise ParameterError(f"preprocess {text!r} starts with {part!r}; write mean=.5,std=.25 for example")
        parts.setdefault(name, []).append(value if equals else part)
    return parts


def _value(text: str, name: str, values: list[str]) -> Any:
    if name == "order":
        return ",".join(values).strip().upper()
    numbers = [number for value in values for number in value.replace("/", " / ").split() if number != "/"]
    try:
        parsed = [float(number) for number in numbers]
        if name == "scale" and len(parsed) == 2 and "/" in values[0]:
            parsed = [parsed[0] / parsed[1]]
    except (ValueError, ZeroDivisionError):
        parsed = []
    if not parsed or (name == "scale" and len(parsed) > 1):
        many = "one number" if name == "scale" else "numbers, as .485/.456/.406"
        raise ParameterError(f"preprocess {text!r} gives {name} as {','.join(values)!r}; it takes {many}")
    return parsed[0] if len(parsed) == 1 else parsed


def preprocess_text(scale: float, mean: tuple[float, ...], std: tuple[float, ...], order: str) -> str:
    """The text that `keywords_from_text` reads as these keywords; what is usual is left out, "none" if all of it is.

    Args:
        scale: as `Preprocess.scale`.
        mean: as `Preprocess.mean`.
        std: as `Preprocess.std`.
        order: as `Preprocess.order`.

    >>> preprocess_text(1.0, (0.5, 0.4, 0.3), (0.25,), "BGR")
    'mean=0.5/0.4/0.3,std=0.25,order=BGR'
    """
    parts = [] if scale == 1 else [f"scale={_number(scale)}"]
    for name, values, usual in (("mean", mean, 0), ("std", std, 1)):
        if set(values) != {usual}:
            parts.append(f"{name}={'/'.join(map(_number, values))}")
    return ",".join([*parts, *([] if order == "RGB" else [f"order={order}"])]) or "none"


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e9 else repr(float(value))
