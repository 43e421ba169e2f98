"""A method's parameters as options of the command line, and the group that holds one subcommand per method."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field
from pathlib import Path
from textwrap import shorten
from typing import Any, get_args, get_origin, get_type_hints

import click
from click.core import ParameterSource

from ...errors import PluginError
from ...method.base import Method
from ...method.dataset import AnyMethod
from ...method.parameter_group import grouped_parameters
from ...method.parameter_text import members, repeats, value_of_text
from ...method.preset import with_preset
from ...plugins.families import families
from ...plugins.registry import difference_of, image_method_class, method_class, methods
from .._text.echo import echo
from .._text.spelling import remember_command

__all__ = [
    "SUMMARY_WIDTH",
    "MethodGroup",
    "ParameterValue",
    "build_method",
    "default_of",
    "first_line",
    "flags_of",
    "parameter_options",
    "settings_of",
    "tell_difference",
    "type_name",
]

SUMMARY_WIDTH = 51
"""Characters that a method's line has in a listing of 80 columns."""
_PREFIX = "parameter_"
"""Before the names of a method's parameters, so that none has the name of an option that every command has."""


class ParameterValue(click.ParamType):  # type: ignore[type-arg]
    """Text as the first of an annotation's types that it can be; a tuple is written 16,8, or of numbers 16x8."""

    def __init__(self, annotation: Any) -> None:
        self._kinds = sorted(members(annotation), key=lambda kind: kind is str)
        self.name = " or ".join(dict.fromkeys(_name(kind) for kind in self._kinds))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        for kind in self._kinds:
            with suppress(ValueError):
                return value_of_text(kind, value)
        self.fail(f"{value!r} is not {self.name}", param, ctx)
        return None


def _name(kind: Any) -> str:
    if get_origin(kind) is None:
        return {int: "integer", float: "number", Path: "file"}.get(kind, "text")
    items = [_name(each) for each in get_args(kind) if each is not ...]
    return ",".join(items + ["..."] * repeats(kind))


def type_name(kind: type[AnyMethod], parameter: Field[Any]) -> str:
    """What a parameter's text may be: "integer", "text", "number,number", "a or b", "yes or no"."""
    annotation, choices = get_type_hints(kind)[parameter.name], parameter.metadata.get("choices")
    if choices:
        others = [_name(each) for each in members(annotation) if each is not str]
        return " or ".join([*others, *map(str, choices)])
    return "yes or no" if annotation is bool else ParameterValue(annotation).name


def flags_of(kind: type[AnyMethod], parameter: Field[Any]) -> str:
    """How the command line spells a parameter: "--layer", and "--ratio/--no-ratio", which take nothing."""
    return _flags(parameter, get_type_hints(kind)[parameter.name])


def _flags(parameter: Field[Any], annotation: Any) -> str:
    word = parameter.name.replace("_", "-")
    return f"--{word}/--no-{word}" if annotation is bool else f"--{word}"


def _help(parameter: Field[Any]) -> str:
    """Its line of text, and the bounds of its numbers."""
    doc, bounds = parameter.metadata.get("doc", ""), parameter.metadata.get("bounds")
    return f"{doc} ({bounds})" if bounds else doc


def default_of(parameter: Field[Any]) -> Any:
    """A parameter's default; MISSING where it must be given."""
    return parameter.default_factory() if parameter.default_factory is not MISSING else parameter.default


def parameter_options(kind: type[AnyMethod]) -> list[click.Parameter]:
    """One option per parameter of a method: `--layer TEXT`, `--ratio / --no-ratio`, `--rule [a|b]`; and `--preset`."""
    hints, options = get_type_hints(kind), []
    for title, fields in grouped_parameters(kind).items():
        for parameter in fields:
            options.append(_option(parameter, hints[parameter.name]))
            options[-1].group = title
    return [*options, *_preset(kind)]


class ParameterOption(click.Option):
    """An option for a method's parameter."""

    group: str = ""
    """The heading that help shows it under; "" for none."""


def _preset(kind: type[AnyMethod]) -> list[click.Option]:
    """Nothing where the method has no presets."""
    libraries = click.Choice(list(kind.presets))
    text = f"Reproduce this library's default output: {', '.join(kind.presets)}; options that are given stay."
    return [click.Option(["--preset"], type=libraries, metavar="LIBRARY", help=text)] if kind.presets else []


def _option(parameter: Field[Any], annotation: Any) -> ParameterOption:
    flags = _flags(parameter, annotation)
    default, doc = default_of(parameter), _help(parameter)
    names = [_PREFIX + parameter.name]
    if annotation is bool:
        return ParameterOption([*names, flags], default=default, show_default=True, help=doc)
    choices = parameter.metadata.get("choices")
    listed = choices and members(annotation) == [str] and not any(map(_begins, choices))
    kind = click.Choice(list(choices or ())) if listed else ParameterValue(annotation)
    given: dict[str, Any] = {"required": True} if default is MISSING else {"default": default}
    if choices and not isinstance(kind, click.Choice):
        given["metavar"] = f"[{'|'.join(choices)}]"
    return ParameterOption([*names, flags], type=kind, show_default=_default_text(default), help=doc, **given)


def _begins(choice: str) -> bool:
    """Whether a choice stands for every text that begins as it does, "data:FILE"."""
    return choice.partition(":")[2].isupper()


def _default_text(default: Any) -> bool | str:
    if isinstance(default, tuple | list):
        return ",".join(map(str, default))
    return default is not None and default is not MISSING


def build_method(kind: type[AnyMethod], options: Mapping[str, Any]) -> Any:
    """The method with its options among all of a command's; under a preset, defaults are the preset's."""
    values = settings_of(options)
    if not options.get("preset"):
        return kind(**values)
    source = click.get_current_context().get_parameter_source
    given = {name: value for name, value in values.items() if source(_PREFIX + name) is not ParameterSource.DEFAULT}
    return with_preset(kind, options["preset"])(**given)


def settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `parameter_options` among all of a command's, by the parameters' names."""
    return {name.removeprefix(_PREFIX): value for name, value in options.items() if name.startswith(_PREFIX)}


def first_line(kind: type[AnyMethod]) -> str:
    """What a method does, in one line that fits into a listing."""
    return shorten((kind.__doc__ or "").strip().partition("\n")[0], SUMMARY_WIDTH, placeholder=" ...")


class MethodGroup(click.Group):
    """One subcommand per method, made from its class when it is asked for; those on single images alone if told.

    `shared` are the options that every method has; help shows them before the methods.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[Any], click.Command],
        usage: str,
        *,
        images_only: bool = False,
        shared: Sequence[click.Parameter] = (),
        **attributes: Any,
    ) -> None:
        super().__init__(name, options_metavar="", subcommand_metavar=usage, **attributes)
        self._build, self._images_only, self._shared = build, images_only, shared

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(name for names in self._families().values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        command = self._build((image_method_class if self._images_only else method_class)(cmd_name))
        tell_difference(cmd_name)
        remember_command(ctx, command)
        return command

    def _families(self) -> Mapping[str, list[str]]:
        """The methods by family; a method that does not load is kept, so that help can name the reason."""
        if not self._images_only:
            return families()
        return {title: kept for title, names in families().items() if (kept := [n for n in names if _on_images(n)])}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options first, then the methods, each family under its title."""
        records = [option.get_help_record(ctx) for option in (*self._shared, *self.get_params(ctx))]
        with formatter.section("Options"):
            formatter.write_dl([(names, _first_clause(text)) for names, text in filter(None, records)])
        width = max(map(len, methods()), default=0)
        formatter.write_paragraph()
        formatter.write_text("Methods, each with options of its own: METHOD --help shows them.")
        for title, names in self._families().items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), _summary(name)) for name in names])


def tell_difference(name: str) -> None:
    """A note where other libraries call something else by the name that stands for a method."""
    if difference := difference_of(name):
        echo(f"Note: {difference}", err=True)


def _first_clause(text: str) -> str:
    """The beginning of an option's help, up to the first pause or parenthesis; its defaults are kept."""
    return re.split(r"[.;:] | \(", text)[0].rstrip(".") + "".join(re.findall(r"  \[.*\]$", text))


def _on_images(name: str) -> bool:
    """Whether a method works on single images; one that does not load may."""
    try:
        return issubclass(method_class(name), Method)
    except PluginError:
        return True


def _summary(name: str) -> str:
    """A method's line in a listing; a plugin that fails is named there and the others go on."""
    try:
        return first_line(method_class(name))
    except PluginError as error:
        return f"does not load: {error}"
