"""`crosslens transfer`: pictures that fool one network, tried on others."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..attack import AttackMethod
from ..data import data as source_of
from ..errors import ParameterError
from ..robustness.attack_words import attack_of, has
from ..robustness.label_classes import AGAINST
from ..robustness.transfer import transfer
from ..robustness.transfer_matrix import Transfer
from ._dataset import SOME_FAILED
from ._options.files import Writable
from ._options.models import OPTIONS_OF_MODELS, open_models, quiet
from ._options.parameters import ParameterValue
from ._options.pictures import FITTING
from ._options.writing import WritingCommand
from ._text.echo import echo
from ._text.progress import bar
from ._text.spelling import replace_keywords
from ._text.tables import JSON, echo_json
from ._text.transfer_text import matrix_text
from .align import distinct_names

__all__ = ["command"]


def _transfer(
    specs: tuple[str, ...], images: tuple[str, ...], attack: str, out: tuple[Path, ...], as_json: bool, **options: Any
) -> None:
    """Make pictures that fool each network, and try them on the others.

    A matrix of networks by networks: how many of the pictures made on each one fool each other one, with intervals.
    The same network in three frameworks should fall alike; what does not is listed with its margins.

    crosslens transfer net.pt2 net.onnx other.keras --images photos --attack pgd:steps=20 --eps 0.03 -o transfer.html
    """
    if len(specs) < 2:
        raise click.UsageError(f"transfer takes two models or more; there is {len(specs)}")
    method = _within(attack_of(attack), attack, options)
    place = images[0] if len(images) == 1 else list(images)
    source = source_of(place, resize=options["resize"], crop=options["crop"])
    with quiet(), bar("pictures") as progress:
        models = dict(zip(distinct_names(specs), open_models(specs, options), strict=True))
        result = transfer(models, source, method, against=options["against"], progress=progress)
    files = [result.save(path) for path in out]
    for note in result.notes:
        echo(f"Note: {replace_keywords(note, click.get_current_context())}", err=True)
    if as_json:
        echo_json({**result.as_json(), "files": list(map(str, files))})
    else:
        echo(matrix_text(result))
        echo(f"written: {', '.join(map(str, files))}" if files else f"nothing written: -o, {result._choices}")
    if any("cannot be read" in note for note in result.notes):
        click.get_current_context().exit(SOME_FAILED)


def _within(attack: AttackMethod, word: str, options: Mapping[str, Any]) -> AttackMethod:
    """The attack with the radius and the norm that options give."""
    given = {name: options[name] for name in ("eps", "norm") if options[name] is not None}
    for name in given:
        if not has(attack, name):
            raise ParameterError(f"{attack.name} has no {name}: it looks for the nearest picture; leave --{name} out")
        if name in {part.partition("=")[0].strip() for part in word.partition(":")[2].split(",")}:
            article = "an" if name == "eps" else "a"
            raise ParameterError(f"the attack has {article} {name} of its own; give it there or as --{name}, not both")
    chosen = replace(attack, **given)
    chosen.check_parameters()
    return chosen


command = WritingCommand(
    "transfer",
    callback=_transfer,
    help=_transfer.__doc__,
    params=[
        click.Argument(["specs"], metavar="MODEL MODEL...", nargs=-1, required=True),
        click.Option(
            ["--images"],
            multiple=True,
            required=True,
            metavar="DATA",
            help="Pictures: a folder (classes as sub-folders), a file of images, or files, each with --images.",
        ),
        click.Option(
            ["--attack"],
            default="pgd",
            show_default=True,
            metavar="ATTACK[:NAME=VALUE,...]",
            help="What makes the pictures, with settings of its own: pgd:steps=20,restarts=2.",
        ),
        click.Option(["--eps"], type=ParameterValue(float), help="Its radius, in the unit of images in [0, 1]."),
        click.Option(["--norm"], help="Norm of the radius: linf, l2 or l1."),
        click.Option(
            ["--against"],
            type=click.Choice(AGAINST),
            default="auto",
            show_default=True,
            help="What is right: the label, what the source predicts, or auto: labels where there are any.",
        ),
        click.Option(
            ["-o", "--out"],
            type=Writable(*Transfer._suffixes),
            multiple=True,
            help=f"Write the matrix: {Transfer._choices}; can be given several times.",
        ),
        *FITTING,
        *OPTIONS_OF_MODELS,
        JSON,
    ],
)
