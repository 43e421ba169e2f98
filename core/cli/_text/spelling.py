"""Messages of the library with the command line's options in place of Python keywords: --output for output=."""

import re
from collections.abc import Mapping

import click

__all__ = ["remember_command", "replace_keywords"]

_KEYWORD = re.compile(r"(?<![\w/-])([a-z_]+)=(\([^()]*\)|'[^']*'|\.\.\.|\w(?:[\w.:/]*\w)?)?(?![=\w])")
_WORD = re.compile(r"(?<![\w'./:=-])[a-z]+(?:_[a-z]+)+(?![\w'./:=(\[-])")
_INPUTS = re.compile(r"\binputs=\{([^{}]*)\}")
_INPUT = re.compile(r"\binputs\['([^']+)'\]")
_OTHER_NAMES = {"bounds": "input_range", "inputs": "hold"}
"""Keywords of `crosslens.wrap` whose options have another name."""
_WRAP = re.compile(r"(?:crosslens\.)?wrap\((?:\w+, )?(--[^()]*)\)")
_IN_PYTHON = {
    "with model.layers, or `crosslens": "with `crosslens",
    ", or None": ", or left out",
}
"""What only Python has."""
_COMMAND = "crosslens: the command whose options messages name"


def remember_command(context: click.Context, command: click.Command) -> None:
    """Keep the command that was asked for: its own context is gone when its error arrives."""
    context.meta[_COMMAND] = command


def replace_keywords(text: str, context: click.Context) -> str:
    """A message with each `name=value` as the command's option of that name, `--name value`; others stay.

    So are names of several words, such as `output_kind`.

    >>> with click.Context(click.Command("x", params=[click.Option(["--input-shape"])])) as context:
    ...     remember_command(context, context.command)
    ...     replace_keywords("say so: wrap(net, input_shape=(3, 224, 224))", context)
    ...     replace_keywords("a file's name stays: 'x/grad_cam-input_shape=3/result.npz'", context)
    'say so: --input-shape 3,224,224'
    "a file's name stays: 'x/grad_cam-input_shape=3/result.npz'"
    """
    command = context.meta.get(_COMMAND)
    if command is None:
        return text
    flags, places = _flags(command), {p.name for p in command.params if isinstance(p, click.Argument)}

    def option_with_value(match: re.Match[str]) -> str:
        name, value = match[1], match[2] or ""
        if name == "images" and name not in flags and places & {"image", "pictures"}:
            return "IMAGE"
        if name not in flags:
            return match[0]
        option = flags[name]
        if value == "None" and name != "preprocess":
            return f"no {max(option.opts, key=len)}"
        return f"{max(option.opts, key=len)} {_value(value, option)}".rstrip()

    def option_name(match: re.Match[str]) -> str:
        return max(flags[match[0]].opts, key=len) if match[0] in flags else match[0]

    for python, shell in _IN_PYTHON.items():
        text = text.replace(python, shell)
    if "hold" in flags:
        text = _INPUT.sub(r"--hold \1", _INPUTS.sub(_hold_options, text))
    return _WORD.sub(option_name, _WRAP.sub(r"\1", _KEYWORD.sub(option_with_value, text)))


def _hold_options(match: re.Match[str]) -> str:
    """One --hold for each input of the mapping."""
    return " ".join(f"--hold {name}=FILE.npy" for name in re.findall(r"'([^']+)':", match[1]))


def _flags(command: click.Command) -> Mapping[str, click.Option]:
    """The options by the name that the library knows them by: a method's parameters, or those of `wrap`."""
    options = [p for p in command.params if isinstance(p, click.Option)]
    by_name = {max(option.opts, key=len).removeprefix("--").replace("-", "_"): option for option in options}
    return by_name | {name: by_name[option] for name, option in _OTHER_NAMES.items() if option in by_name}


def _value(text: str, option: click.Option) -> str:
    if option.is_flag and text == "True":
        return ""
    if text == "...":
        return option.make_metavar(click.Context(click.Command("")))
    return "none" if text == "None" else text.strip("()'").replace(", ", ",")
