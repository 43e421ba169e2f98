"""Commands with hostile values: for every method and every one of its parameters, and for the options of all.

A case is a command as a user could type it, in which one to three values are hostile: of another type, extreme, empty,
huge, not a number, full of control characters. Each must end in one line and exit code 1 or 2, or in a right result,
soon and in bounded memory. A seed gives the same cases each time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from crosslens.cli._options.parameters import parameter_options
from crosslens.method.base import Method
from crosslens.plugins.registry import method_class, methods

__all__ = ["OPTIONS", "TARGETS", "WORDS", "Places", "parameter_cases"]

NUMBERS = (
    *(
        "-1",
        "0",
        "1",
        "2",
        "3",
        "-0.0",
        "0.5",
        "1/0",
        "1/3",
        "1e-320",
        "1e308",
        "1e309",
        "-1e308",
        "nan",
        "inf",
        "-inf",
    ),
    *("2147483648", "4294967295", "4294967296", "9223372036854775807", "18446744073709551616", "1000000000000"),
    *("1" + "0" * 400, "-" + "9" * 400, "9" * 5000, "0x10", "1_000", "1e3", "٣", "²", "1,5", "3x5", "+7", " 4 "),
)
TEXTS = (
    *(
        "",
        " ",
        ",",
        ",,",
        ":",
        "::",
        "=",
        "/",
        ".",
        "..",
        "-",
        "--",
        "None",
        "True",
        "nan,nan",
        "1,0",
        "0,0,0",
        "1,2,3,4",
    ),
    *("conv1", "fc", "<input>", "<output>", "conv1,conv1", "conv1,nosuch", "nosuch", "CONV1", "conv1:0", "layer:conv1"),
    *(
        "\x1b[31mred\x1b[0m",
        "two\nlines",
        "bell\x07",
        "\u202eright to left",
        "\udcff",
        "\x00",
        "é" * 300,
        "x" * 100_000,
    ),
    *(
        "../../etc/passwd",
        "/dev/null",
        "/etc",
        "/",
        "~",
        "nosuch.png",
        "nosuch.npy",
        "data:",
        "data:nosuch.npz",
        "%s%n",
    ),
    *("{0}", "$(id)", "[red]x[/red]", "a=b", "[]", "{}", "()", "lambda: 0", "__import__('os')", "0" * 10_000),
)
WORDS = (*NUMBERS, *TEXTS)
TARGETS = (
    *WORDS,
    *(
        "9**9**9",
        "1 / 0",
        "1 * " * 500 + "1",
        "(" * 10_000 + "1" + ")" * 10_000,
        "1 + " * 10_000 + "1",
        "-" * 10_000 + "1",
    ),
    *(
        "- " * 10_000 + "1",
        "1 | " * 300 + "1",
        " | ",
        "1 |",
        "(",
        ")",
        "()",
        "1 +",
        "+ 1",
        "1e400 * 1",
        "0 * 1",
        "1 / 0 * 2",
    ),
    *("logit:1", "logit:", "logit:-1", "logit:99", "probability:nan", "channel:conv1:0", "channel:conv1:-1", "norm:0"),
    *(
        "channel:conv1:" + "9" * 400,
        "channel::0",
        "neuron:conv1:0:0:0",
        "neuron:conv1:0:99:99",
        "neuron:conv1",
        "norm:inf",
    ),
    *(
        "layer:nosuch",
        "layer:" + "x" * 100_000,
        "strongest:fc",
        "direction:conv1:nosuch.npy:0",
        "direction:conv1:/etc:0",
    ),
    *("box:0:0:8:8:1", "mask:nosuch.png:1", "region:conv1:0:nosuch.png", "total_variation:0", "total_variation:1e308"),
    *("cosine:conv1:0:1e308", "cosine:conv1:99999999999999999999:2", "random_direction:conv1:" + "9" * 30, "norm:-1"),
    *(
        "facet:nosuch.npz#0/0",
        "patch_mixture:nosuch.npz:0",
        "interpolate:conv1:0:1:nan",
        "diversity:conv1",
        "x" * 1_000_000,
    ),
)
OPTIONS = {
    "--input-shape": ("0,0,0", "3,8,8", "3,60000,60000", "3,8", "-3,8,8", "any,any,any", "3,any,any", "²,8,8", *WORDS),
    "--input-range": ("nan,nan", "1,0", "0,0", "-inf,inf", "0,1e308", "-1e308,1e308", "0,255", *WORDS),
    "--batch-size": WORDS,
    "--threads": ("0", "-1", "abc", "1"),
    "--providers": ("x,,y", ",", "CPUExecutionProvider,", *WORDS),
    "--device": ("cuda:99", "cpu:1", "meta", *WORDS),
    "--bands": ("1,1,1", "3,2,1", "0,1,2", "1,2", "4,5,6", *WORDS),
    "--crop": WORDS,
    "--resize": WORDS,
    "--preprocess": ("mean=nan", "std=0", "mean=1/2,std=1/2", "mean=,std=", "order=XYZ", "scale=inf", "tf", *WORDS),
    "--output": WORDS,
    "--output-kind": WORDS,
    "--labels": WORDS,
    "--hold": ("x=nosuch.npy", "=x.npy", "x=/etc/passwd", *WORDS),
}
"""Options of every command that opens a model, and what they are given."""


@dataclass(frozen=True)
class Places:
    """What the commands read: `models` as a user names them, a `picture`, and a folder of pictures as `data`."""

    models: Sequence[str]
    picture: str
    data: str


def parameter_cases(seed: int, count: int, places: Places) -> Iterator[tuple[str, list[str]]]:
    """So many cases, (what is hostile in it, the words after `crosslens`), of all methods in turn.

    Args:
        seed: the same seed gives the same cases.
        count: of cases.
        places: what the commands read.
    """
    drawn, names = Random(seed), list(methods())
    drawn.shuffle(names)
    for number in range(count):
        yield _case(names[number % len(names)], drawn, places)


def _case(name: str, drawn: Random, places: Places) -> tuple[str, list[str]]:
    kind = method_class(name)
    values = _few_steps(kind, places)
    hostile = {}
    for _ in range(drawn.choice((1, 1, 1, 2, 3))):
        flag, words = _option(kind, drawn)
        hostile[flag] = drawn.choice(words)
    values |= hostile
    inputs = [places.picture] if issubclass(kind, Method) else [places.data]
    if issubclass(kind, Method) and not kind.needs_images:
        inputs = []
    words = ["run", name, drawn.choice(places.models), *inputs]
    words += [f"{flag}={value}" for flag, value in values.items()]
    return f"{name} " + " ".join(f"{flag}={value[:40]!r}" for flag, value in hostile.items()), words


def _few_steps(kind: Any, places: Places) -> dict[str, str]:
    """What the method's example gives it, so that a case whose hostile value is legal is short."""
    values = {}
    for name, value in kind.example.items():
        text = places.picture if hasattr(value, "shape") else value
        items = text if isinstance(text, tuple) else (text,)
        values[f"--{name.replace('_', '-')}"] = ",".join(map(str, items))
    return values


def _option(kind: Any, drawn: Random) -> tuple[str, Sequence[str]]:
    """An option of the method, and the values to choose from: most often one of its own parameters."""
    own = [max(option.opts, key=len) for option in parameter_options(kind) if not getattr(option, "is_flag", False)]
    if own and drawn.random() < 0.7:
        return drawn.choice(own), WORDS
    if getattr(kind, "needs_target", False) and drawn.random() < 0.5:
        return "--target", TARGETS
    flag = drawn.choice(list(OPTIONS))
    return flag, OPTIONS[flag]
