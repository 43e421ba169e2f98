"""The picture at the top of the README: `python -m benchmarks.gallery.demo METHOD ...`, one photograph."""

import sys
from pathlib import Path

import crosslens
import numpy as np
from PIL import Image, ImageDraw

from .photographs import photograph

NETWORKS = ("lite0_torch", "lite0_keras", "lite0_onnx")
METHODS = ("grad_cam", "cam", "occlusion", "gradient")
TILE, GAP, MARGIN = 168, 6, 96


def sheet(rows: list[tuple[str, list[np.ndarray]]], columns: list[str]) -> Image.Image:
    """Pictures with a title for each row and column."""
    size = (MARGIN + len(columns) * (TILE + GAP), 20 + len(rows) * (TILE + GAP))
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for x, title in enumerate(columns):
        draw.text((MARGIN + x * (TILE + GAP), 4), title, fill="black")
    for y, (title, pictures) in enumerate(rows):
        draw.text((4, 20 + y * (TILE + GAP) + TILE // 2), title, fill="black")
        for x, picture in enumerate(pictures):
            tile = Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.LANCZOS)
            page.paste(tile, (MARGIN + x * (TILE + GAP), 20 + y * (TILE + GAP)))
    return page


def main() -> None:
    models = {name: crosslens.wrap(f"demo:{name}") for name in NETWORKS}
    image = crosslens.load_image(photograph(), like=models[NETWORKS[0]])
    rows = [
        (name, [crosslens.method(name)(model, image, target="tiger cat").picture() for model in models.values()])
        for name in sys.argv[1:] or METHODS
    ]
    columns = [name.rpartition("_")[2] for name in NETWORKS]
    path = Path(__file__).parents[1] / "pictures" / "demo.jpg"
    path.parent.mkdir(exist_ok=True)
    sheet(rows, columns).save(path, quality=88)
    print(path)


if __name__ == "__main__":
    main()
