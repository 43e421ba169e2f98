"""The library's messages as the command line spells them: where Python takes output=, one types --output."""

import re
from collections.abc import Mapping

import click

__all__ = ["remember", "spelled"]

_KEYWORD = re.compile(r"\b([a-z_]+)=(\([^()]*\)|'[^']*'|\.\.\.|\w(?:[\w.:/]*\w)?)?(?![=\w])")
_WORD = re.compile(r"(?<![\w'./:=-])[a-z]+(?:_[a-z]+)+(?![\w'./:=(\[-])")
_HELD = re.compile(r"\binputs=\{([^{}]*)\}")
_HELD_ONE = re.compile(r"\binputs\['([^']+)'\]")
_OTHER_NAMES = {"bounds": "input_range", "inputs": "hold"}
"""Keywords of `crosslens.wrap` whose options have another name."""
_WRAP = re.compile(r"(?:crosslens\.)?wrap\((?:\w+, )?(--[^()]*)\)")
_TOLD = "crosslens: the command whose options messages name"


def remember(context: click.Context, command: click.Command) -> None:
    """Keep the command that was asked for: its own context is gone when its error arrives."""
    context.meta[_TOLD] = command


def spelled(text: str, context: click.Context) -> str:
    """A message with each `name=value` as the command's option of that name, `--name value`; others stay.

    So are names of several words, `output_kind`, which are no plain English.

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

    def named(found: re.Match[str]) -> str:
        return max(flags[found[0]].opts, key=len) if found[0] in flags else found[0]

    if "hold" in flags:
        text = _HELD_ONE.sub(r"--hold \1", _HELD.sub(_held, text))
    return _WORD.sub(named, _WRAP.sub(r"\1", _KEYWORD.sub(typed, text)))


def _held(found: re.Match[str]) -> str:
    """One --hold for each input of the mapping."""
    return " ".join(f"--hold {name}=FILE.npy" for name in re.findall(r"'([^']+)':", found[1]))


def _flags(command: click.Command) -> Mapping[str, click.Option]:
    """The options by the name that the library knows them by: a method's parameters, or those of `wrap`."""
    options = [p for p in command.params if isinstance(p, click.Option)]
    found = {max(option.opts, key=len).removeprefix("--").replace("-", "_"): option for option in options}
    return found | {name: found[own] for name, own in _OTHER_NAMES.items() if own in found}


def _value(text: str, option: click.Option) -> str:
    if option.is_flag and text == "True":
        return ""
    if text == "...":
        return option.make_metavar(click.Context(click.Command("")))
    return text.strip("()'").replace(", ", ",")
