"""`crosslens shapes`: make pictures of shapes, colours and textures with exact masks."""

from pathlib import Path

import click

from ._text.echo import echo
from ._text.progress import bar
from ._text.tables import JSON, echo_json

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  crosslens shapes -o shapes
  crosslens run dissect net.onnx shapes -o dissection.npz
  crosslens sweep net.onnx shapes top_examples unit_statistics -o survey

DATA of any command takes the folder. Folders of your own pictures are laid out alike: images/NAME.jpg,
masks/CATEGORY/NAME.png with a number for each pixel, and concepts.json with the names of the numbers."""


def _shapes(*, out: Path, count: int, size: int, seed: int, as_json: bool) -> None:
    from ..data.shapes import CLASSES, NAMES, write_shapes

    with bar("pictures") as progress:
        write_shapes(out, count=count, size=size, seed=seed, progress=progress)
    if as_json:
        concepts = {category: list(names) for category, names in NAMES.items()}
        echo_json({"folder": str(out), "pictures": count, "size": size, "seed": seed, "concepts": concepts})
        return
    echo(f"{count} pictures of {size} x {size} pixels, of {len(CLASSES)} classes, with masks of:")
    for category, names in NAMES.items():
        echo(f"  {category}: {', '.join(names)}")
    echo(f"written: {out} (concepts.json names the numbers in the masks)")


command = click.Command(
    "shapes",
    callback=_shapes,
    short_help="Make pictures of shapes, colours and textures with exact masks.",
    help="Make pictures of shapes in colours and textures on grey, with exact masks of all three: data for `crosslens "
    "run dissect`, on which what a unit should find is known.\n\nEach picture has one large shape, which is its class "
    "(red striped disc), and up to two small ones. The same settings give the same pictures.",
    epilog=EXAMPLES,
    params=[
        click.Option(
            ["-o", "--out"], type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="A new folder."
        ),
        click.Option(["--count"], type=int, default=2000, show_default=True, help="How many pictures."),
        click.Option(["--size"], type=int, default=64, show_default=True, help="Pixels of a side."),
        click.Option(["--seed"], type=int, default=0, show_default=True, help="Of the set."),
        JSON,
    ],
)
