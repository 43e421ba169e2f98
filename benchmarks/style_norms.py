"""Batch against instance normalisation (Ulyanov et al. 2017): the same network, data, steps and seed.

`python -m benchmarks.style_norms FOLDER` takes the networks `batch` and `instance` of `benchmarks.style_networks` in
FOLDER and writes benchmarks/pictures/style_norms.jpg: a cat by each, and how their losses went.
"""

import sys
from io import BytesIO
from pathlib import Path

import crosslens
import matplotlib as mpl
import numpy as np
from PIL import Image

from .gallery.folders import FOLDERS
from .style_families import PICTURES, SIZE, cat_pixels, to_image

NORMS = ("batch", "instance")
WINDOW = 20
"""Steps over which losses are averaged."""


def losses(folder: Path, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Content and style loss, weighted and added, before each step, averaged over `WINDOW` steps."""
    with np.load(folder / f"{name}.npz") as state:
        each = state["losses"][:, :2].sum(axis=1)
    return np.convolve(each, np.full(WINDOW, 1 / WINDOW), "valid")


def curves(folder: Path) -> Image.Image:
    """The losses of both, drawn."""
    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(4.2, 2.5), dpi=100, layout="constrained")
    for name in NORMS:
        axes.semilogy(losses(folder, name), label=f"{name} normalisation")
    axes.set_xlabel("step")
    axes.set_ylabel("content + style loss")
    axes.legend(fontsize="small")
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    pyplot.close(figure)
    return Image.open(drawn).convert("RGB")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDERS["style_networks"].path
    cat = cat_pixels()
    made = [crosslens.method("restyle")(crosslens.wrap(folder / f"{name}.onnx"), cat).images for name in NORMS]
    for name in NORMS:
        curve = losses(folder, name)
        print(f"{name}: loss {curve[0]:.3g} at first, {curve[-1]:.3g} at the end, {len(curve) + WINDOW - 1} steps")
    tiles = [to_image(np.asarray(each)) for each in (cat, *made)]
    plot = curves(folder)
    page = Image.new("RGB", ((SIZE + 4) * len(tiles) + plot.width, max(SIZE, plot.height)), "white")
    for n, tile in enumerate(tiles):
        page.paste(tile, ((SIZE + 4) * n, 0))
    page.paste(plot, ((SIZE + 4) * len(tiles), 0))
    page.save(PICTURES / "style_norms.jpg", quality=85)


if __name__ == "__main__":
    main()
