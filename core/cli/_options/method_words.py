"""A method with settings of its own in one word: grad_cam:layer=bn3, occlusion:window=16,8,stride=4.

The word is METHOD:NAME=VALUE,NAME=VALUE. The first colon ends the method's name, the first = a setting's name. A part
without = belongs to the value before it, so that window=16,8 and layers=bn2,bn3 are one setting each. A value that
holds both a comma and = is quoted, '...' or "...".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ...errors import ParameterError, unknown_name
from ...method.dataset import AnyMethod
from ...method.provenance import names_layers
from ...plugins.registry import image_method_class, is_method, methods
from .parameters import parameter_options

__all__ = ["MethodWord", "convert_setting", "is_method_word", "read_method"]

_PART = re.compile(r"""(?:"[^"]*"|'[^']*'|[^,"'])+""")


@dataclass(frozen=True)
class MethodWord:
    """A method as it was typed."""

    label: str
    """The method's own name and the settings as typed: it tells it from the same method with other settings."""
    kind: Any
    """The class of the method."""
    settings: Mapping[str, str]


def is_method_word(word: str) -> bool:
    """Whether a word is a method, with settings or without, rather than a model; or a misspelled method."""
    name, colon, rest = word.partition(":")
    if name in methods() or (is_method(name) and not Path(word).exists()):
        return not colon or "=" in rest or not rest
    plain = name.replace("_", "").isalnum() and not Path(word).exists()
    return plain and (not colon or "=" in rest)


def read_method(word: str, find: Callable[[str], type[AnyMethod]] = image_method_class) -> MethodWord:
    """The method and the settings of a word; `find` gives the class of a name.

    >>> read_method("grad_cam:layer=bn3").settings
    {'layer': 'bn3'}
    >>> read_method('occlusion:window=16,8,stride=4').settings
    {'window': '16,8', 'stride': '4'}
    >>> read_method('grad_cam:layer="a:0,b=1"').settings
    {'layer': 'a:0,b=1'}

    Raises:
        PluginError: no such method.
        ParameterError: a setting without a value, one that the method does not have, or one twice.
    """
    name, colon, rest = word.partition(":")
    kind, settings = find(name), dict[str, str]()
    last = ""
    for part in _PART.findall(rest):
        setting, equals, value = part.partition("=")
        if setting.lstrip().startswith(('"', "'")) or not equals:
            if not last:
                raise ParameterError(f"'{word}' has '{part}' where NAME=VALUE is right: {name}:{_example(kind)}")
            settings[last] += f",{_unquoted(part)}"
            continue
        last = setting.strip().replace("-", "_")
        if last in settings:
            raise ParameterError(
                f"'{word}' gives {last} twice: several values stand behind one =, {last}=A,B, where "
                f"{name} takes several; for two runs write the method twice"
            )
        settings[last] = _unquoted(value)
    if colon and not settings:
        raise ParameterError(f"'{word}' ends where settings should follow: {name}:{_example(kind)}")
    known = [str(option.name).removeprefix("parameter_") for option in parameter_options(kind)]
    for setting in settings:
        if setting not in known:
            raise ParameterError(unknown_name("parameter", setting, known, of=name))
    return MethodWord(f"{kind.name}{colon}{rest}", kind, settings)


def _example(kind: type[AnyMethod]) -> str:
    """A setting that the method has."""
    known = [str(option.name).removeprefix("parameter_") for option in parameter_options(kind)]
    layers = [name for name in known if names_layers(name)]
    return (
        f"{layers[0]}=bn3 for example" if layers else f"{known[0]}=... for example" if known else "it has no settings"
    )


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def convert_setting(option: click.Parameter, text: str, context: click.Context) -> Any:
    """The value that a setting's text has as this option."""
    if isinstance(option, click.Option) and option.is_flag:
        return click.BOOL.convert(text, option, context)
    return option.type.convert(text, option, context)
