"""The library's messages as the command line spells them: where Python takes output=, one types --output."""

import re
from collections.abc import Mapping

import click

__all__ = ["remember", "spelled"]

_KEYWORD = re.compile(r"\b([a-z_]+)=(\([^()]*\)|'[^']*'|\.\.\.|\w(?:[\w.:/]*\w)?)?(?![=\w])")
_HELD = re.compile(r"\binputs=\{'(\w+)': [^{}]*\}")
_WRAP = re.compile(r"(?:crosslens\.)?wrap\(\w+, (--[^()]*)\)")
_TOLD = "crosslens: the command whose options messages name"


def remember(context: click.Context, command: click.Command) -> None:
    """Keep the command that was asked for: its own context is gone when its error arrives."""
    context.meta[_TOLD] = command


def spelled(text: str, context: click.Context) -> str:
    """A message with each `name=value` as the command's option of that name, `--name value`; others stay.

    >>> with click.Context(click.Command("x", params=[click.Option(["--input-shape"])])) as context:
    ...     remember(context, context.command)
    ...     spelled("say so: wrap(net, input_shape=(3, 224, 224))", context)
    'say so: --input-shape 3,224,224'
    """
    command = context.meta.get(_TOLD)
    if command is None:
        return text
    flags, places = _flags(command), {p.name for p in command.params if isinstance(p, click.Argument)}

    def typed(found: re.Match[str]) -> str:
        name, value = found[1], found[2] or ""
        if name == "images" and name not in flags and "image" in places:
            return "IMAGE"
        if name not in flags:
            return found[0]
        option = flags[name]
        return f"{max(option.opts, key=len)} {_value(value, option)}".rstrip()

    if "hold" in flags:
        text = _HELD.sub(r"--hold \1=FILE.npy", text)
    return _WRAP.sub(r"\1", _KEYWORD.sub(typed, text))


def _flags(command: click.Command) -> Mapping[str, click.Option]:
    """The options by the name that the library knows them by: a method's parameters, or those of `wrap`."""
    options = [p for p in command.params if isinstance(p, click.Option)]
    return {max(option.opts, key=len).removeprefix("--").replace("-", "_"): option for option in options}


def _value(text: str, option: click.Option) -> str:
    if option.is_flag and text == "True":
        return ""
    if text == "...":
        return option.make_metavar(click.Context(click.Command("")))
    return text.strip("()'").replace(", ", ",")
