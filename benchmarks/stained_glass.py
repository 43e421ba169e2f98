"""A picture of stained glass, drawn here: a style that anyone may use and pass on.

`python -m benchmarks.stained_glass glass.png` draws it: panes are the nearest of scattered points (Voronoi cells), in
few strong colours, each brighter towards its middle, with leads between.
"""

import sys

import numpy as np
from PIL import Image

__all__ = ["stained_glass"]

COLOURS = np.array(
    [(168, 24, 38), (214, 96, 24), (238, 186, 44), (32, 112, 72), (24, 78, 148), (92, 40, 122), (120, 184, 208)], float
)


def stained_glass(side: int = 512, panes: int = 14, lead: float = 3.0, seed: int = 4) -> Image.Image:
    """A square picture of `side` pixels.

    Args:
        side: height and width.
        panes: how many pieces of glass stand side by side.
        lead: about so many pixels between two panes.
        seed: of where they lie and which colours they have.
    """
    rng = np.random.default_rng(seed)
    places = np.moveaxis(np.mgrid[:panes, :panes], 0, -1).reshape(-1, 2)
    points = (places + rng.uniform(0.0, 1.0, places.shape)) * side / panes
    colours = COLOURS[rng.integers(len(COLOURS), size=len(points))]
    rows, columns = np.mgrid[:side, :side]
    away = np.hypot(rows[..., None] - points[:, 0], columns[..., None] - points[:, 1])
    nearest, second = np.partition(away, 1, axis=-1)[..., :2].transpose(2, 0, 1)
    light = 1.15 - 0.45 * nearest / second + 0.05 * rng.standard_normal((side, side))
    glass = colours[away.argmin(axis=-1)] * light[..., None]
    glass[second - nearest < lead] = (18, 16, 20)
    return Image.fromarray(np.clip(glass, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    stained_glass().save(sys.argv[1])
