"""Four ways to the same style, side by side: pictures, losses at one objective, seconds a picture.

`python -m benchmarks.style_families FOLDER` takes the networks of `benchmarks.style_networks` in FOLDER. For a cat and
two styles: Gatys et al. (2016), who optimise the picture, 200 steps; a network for one style
(Johnson et al. 2016), where FOLDER has it; one
for both (Dumoulin et al. 2017); a decoder for any (Huang and Belongie 2017). All by ONNX files. The losses are those
that `style_transfer` minimises, at its weights and the strength that the networks were trained with, through VGG16 at
160 pixels: of the content, of the style, their sum divided by Gatys'. Writes benchmarks/pictures/style_families.jpg and
prints the table.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import crosslens
import numpy as np
from crosslens import style_losses
from crosslens.model import Model
from PIL import Image, ImageDraw, ImageFont

from .gallery.folders import FOLDERS
from .gallery.photographs import photograph
from .style_networks import STRENGTH

SIZE, STEPS = 160, 200
PICTURES = Path(__file__).with_name("pictures")
STYLES = ("tissue", "glass")
LAYER = "block4_relu1"
"""Of the encoder, on which the decoder was trained."""
HEAD, GAP = 34, 4
WAYS = ("Gatys, 200 steps", "one style", "two styles", "any style")
Pixels = np.ndarray[Any, Any]


class Way(NamedTuple):
    """What one way made of the cat."""

    picture: Pixels
    """(1, 3, H, W) in [0, 1]."""
    seconds: float
    content: float
    style: float

    @property
    def loss(self) -> float:
        """The sum that `style_transfer` minimises."""
        return self.content + self.style


def ways(folder: Path, cat: Pixels, name: str, number: int) -> Mapping[str, Way]:
    """The ways to a style, by name in the order of `WAYS`; without that of one style where it has no network."""
    model = crosslens.wrap(folder / "vgg16.onnx")
    style = _pixels(Image.open(FOLDERS["styles"].path / f"{name}.png"))
    files = {each: folder / f"{each}.onnx" for each in (name, "both", "any")}
    made = {each: crosslens.wrap(path) for each, path in files.items() if path.exists()}
    ask = crosslens.method
    calls = {
        WAYS[0]: lambda: ask("style_transfer", style=style[0], steps=STEPS, strength=STRENGTH)(model, cat),
        WAYS[1]: lambda: ask("restyle")(made[name], cat),
        WAYS[2]: lambda: ask("restyle", styles=str(number))(made["both"], cat),
        WAYS[3]: lambda: ask("restyle", decoder=made["any"], features=LAYER, style=style[0])(model, cat),
    }
    if name not in made:
        del calls[WAYS[1]]
    return {way: _measured(model, cat, style, *_timed(call)) for way, call in calls.items()}


def _measured(model: Model, cat: Pixels, style: Pixels, picture: Pixels, seconds: float) -> Way:
    """A picture with what `style_transfer` minimises: both losses at its weights."""
    losses = style_losses(model, picture, cat, style[0])
    content = float(losses.content[0])
    return Way(picture, seconds, content, float(losses.total(strength=STRENGTH)[0]) - content)


def _timed(call: Any) -> tuple[Pixels, float]:
    """What a call made, and its seconds; quick ones a second time, when their sessions are there."""
    start = perf_counter()
    made = call().images
    if perf_counter() - start < 20:
        start = perf_counter()
        made = call().images
    return np.asarray(made), perf_counter() - start


def page(cat: Pixels, rows: Mapping[str, Mapping[str, Way]]) -> Image.Image:
    """A row for each style: the cat, the style, the four ways with their seconds and losses."""
    step = SIZE + GAP
    sheet = Image.new("RGB", (step * (2 + len(WAYS)), (SIZE + HEAD + GAP) * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for row, (name, made) in enumerate(rows.items()):
        top, style = row * (SIZE + HEAD + GAP), Image.open(FOLDERS["styles"].path / f"{name}.png")
        given = [("the picture", to_image(cat)), (f"the style: {name}", style.convert("RGB").resize((SIZE, SIZE)))]
        best = made[WAYS[0]].loss
        titles = [f"{way}, {each.seconds:.2g} s\nloss {each.loss / best:.2f} of Gatys'" for way, each in made.items()]
        shown = [*given, *zip(titles, [to_image(each.picture) for each in made.values()], strict=True)]
        for column, (title, tile) in enumerate(shown):
            draw.text((column * step + 2, top + 1), title, fill="black", font=font, spacing=1)
            sheet.paste(tile, (column * step, top + HEAD))
    return sheet


def cat_pixels() -> Pixels:
    """The cat, (1, 3, SIZE, SIZE)."""
    return _pixels(Image.open(photograph()))


def _pixels(picture: Image.Image) -> Pixels:
    """The largest square at the middle, as (1, 3, SIZE, SIZE) in [0, 1]."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.convert("RGB").crop((left, top, left + side, top + side)).resize((SIZE, SIZE))
    return np.asarray(square, np.float32).transpose(2, 0, 1)[None] / 255


def to_image(picture: Pixels) -> Image.Image:
    """A picture (1, 3, H, W) in [0, 1], to be drawn."""
    return Image.fromarray((picture[0].transpose(1, 2, 0) * 255).round().clip(0, 255).astype(np.uint8))


def table(rows: Mapping[str, Mapping[str, Way]]) -> str:
    """The figures in Markdown."""
    lines = ["| style | way | content loss | style loss | sum, of Gatys' | seconds |", "|--|--|--|--|--|--|"]
    for name, made in rows.items():
        for way, each in made.items():
            ratio = each.loss / made[WAYS[0]].loss
            figures = f"{each.content:.3g} | {each.style:.3g} | {ratio:.2f} | {each.seconds:.2f}"
            lines.append(f"| {name} | {way} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDERS["style_networks"].path
    FOLDERS["styles"].make()
    cat = cat_pixels()
    rows = {name: ways(folder, cat, name, number) for number, name in enumerate(STYLES)}
    print(table(rows))
    page(cat, rows).save(PICTURES / "style_families.jpg", quality=82)


if __name__ == "__main__":
    main()
