"""How types of fields become options; a method of our own stands for all the types that a plugin may use."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from crosslens.cli._options.parameters import build_method, parameter_options, type_name
from crosslens.method import Method, param, parameters


@dataclass(frozen=True, kw_only=True)
class Typed(Method):
    """A method with a parameter of every type."""

    name = "typed"
    count: int = param(3, "how many")
    share: float | None = param(None, "what share")
    exact: bool = param(True, "whether")
    rule: str = param("a", "which", choices=("a", "b"))
    size: int | tuple[int, int] = param(7, "side or sides")
    layers: tuple[str, ...] = param((), "names")
    scales: Sequence[float] | None = param(None, "numbers")
    picture: Path | None = param(None, "a file")
    pads: tuple[int, ...] = field(default_factory=lambda: (1, 2), metadata={"doc": "from a factory"})
    must: str = param(doc="no default")

    def run(self, model, images, objective, progress):
        raise NotImplementedError


def given(*args):
    """The method that these arguments make, or the error's text."""
    made = []
    command = click.Command(
        "typed", params=parameter_options(Typed), callback=lambda **kw: made.append(build_method(Typed, kw))
    )
    done = CliRunner().invoke(command, [str(arg) for arg in args])
    return made[0] if made else done.output


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (["--count", "5"], "count", 5),
        (["--share", "0.5"], "share", 0.5),
        (["--no-exact"], "exact", False),
        (["--rule", "b"], "rule", "b"),
        (["--size", "9"], "size", 9),
        (["--size", "9,11"], "size", (9, 11)),
        (["--size", "9x11"], "size", (9, 11)),
        (["--layers", "max,box"], "layers", ("max", "box")),
        (["--layers", "conv1,conv2"], "layers", ("conv1", "conv2")),
        (["--layers", "conv1"], "layers", ("conv1",)),
        (["--scales", "1,0.5"], "scales", (1.0, 0.5)),
        (["--scales", "8/256,1"], "scales", (0.03125, 1.0)),
        (["--picture", "a/b.png"], "picture", Path("a/b.png")),
    ],
)
def test_text_becomes_the_type_of_the_field(args, name, value):
    got = getattr(given("--must", "x", *args), name)
    assert got == value
    assert type(got) is type(value)


def test_what_is_not_given_keeps_the_default():
    assert given("--must", "x") == Typed(must="x")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "Missing option '--must'"),
        (["--must", "x", "--count", "2.5"], "'2.5' is not integer"),
        (["--must", "x", "--scales", "1/0"], "'1/0' is not number,..."),
        (["--must", "x", "--size", "1,2,3"], "'1,2,3' is not integer or integer,integer"),
        (["--must", "x", "--rule", "c"], "'c' is not one of 'a', 'b'"),
    ],
)
def test_what_does_not_fit_is_refused(args, text):
    assert text in given(*args)


def test_types_are_named_for_a_reader():
    assert [type_name(Typed, p) for p in parameters(Typed)] == [
        "integer",
        "number",
        "yes or no",
        "a or b",
        "integer or integer,integer",
        "text,...",
        "number,...",
        "file",
        "integer,...",
        "text",
    ]
